"""Security curves: gain against budget, a line per metric with its 95 % band."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.board_panels import caption, estimate, sections_of
from metric_robustness.pipeline.scoring.plots.layout.panels import folded, small_multiples
from metric_robustness.pipeline.scoring.plots.style import COLOURS, MARKS
from metric_robustness.pipeline.scoring.scores.curve import SHARE
from metric_robustness.pipeline.scoring.tables.board_file import Facts, read_board

HEIGHT = 1.8  # of a panel, inches
AROUND = 0.6  # what its title and its axis add to it
LEAST = 3.0  # inches of its width
MARGIN = 0.7  # inches left of its axes
LABEL = 0.08  # of a panel's height: how far the names of two lines must be apart
LEADER = {"arrowstyle": "-", "linewidth": 0.5, "relpos": (0, 0.5), "shrinkA": 0, "shrinkB": 2}  # to a name's left end
OTHERS = "0.75"  # the grey of lines without a name


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a panel per section of the leaderboard; only as many lines have names as there are colours."""
    board = read_board(folder)
    curved = [(section, [each for each in own if each["curve"]]) for section, own in sections_of(board, names)]
    curved = [(section, own) for section, own in curved if own]
    if not curved:
        raise BenchError("there must be a security curve to draw; got none: run with --budgets 1,2,4,8")
    figure, panels = small_multiples([HEIGHT] * len(curved), width, LEAST, AROUND)
    for axes, (section, own) in zip(panels, curved, strict=True):
        axes.axhline(SHARE, color="0.6", linewidth=0.7, linestyle=":", marker="", zorder=0)
        _lines(axes, own)
        axes.set_xlim(0, section["budgets"][-1])
        axes.set_xticks([0, *section["budgets"]])
        axes.set_xlabel("largest change of a channel, in 255ths")
        axes.set_ylabel("absolute gain of the worst case\n(dotted: a tenth of the range)")
        axes.set_title(folded(caption(section), LEAST - MARGIN))
    return figure


def _lines(axes: Axes, metrics: Sequence[Facts]) -> None:
    """Draws the curves: those that have names in colours and with bands, all others thin and grey below them."""
    named = _spread(metrics, len(COLOURS))
    ends = {}
    for metric in metrics:
        budgets, gains, below, above = _points(metric["curve"]["worst_cases"])
        if metric not in named:
            axes.plot(budgets, gains, color=OTHERS, linewidth=0.6, marker="", zorder=1)
            continue
        colour, mark = COLOURS[named.index(metric)], MARKS[named.index(metric)]
        axes.fill_between(budgets, below, above, color=colour, alpha=0.15, linewidth=0)
        axes.plot(budgets, gains, color=colour, marker=mark, markersize=3, linewidth=1, clip_on=False, zorder=3)
        ends[metric["metric"]] = (float(budgets[-1]), float(gains[-1]), colour)
    axes.set_ylim(0)
    _names(axes, ends)
    if others := len(metrics) - len(named):
        axes.text(
            0.02, 0.98, f"grey: {others} other metric{'' if others == 1 else 's'}", transform=axes.transAxes, va="top"
        )


def _spread(metrics: Sequence[Facts], most: int) -> list[Facts]:
    """Returns at most so many of the metrics, which stand by rank: first, last, and some evenly between them."""
    if len(metrics) <= most:
        return list(metrics)
    return [metrics[i] for i in np.linspace(0, len(metrics) - 1, most).round().astype(int)]


def _points(worst_cases: Facts) -> np.ndarray:
    """Returns budgets, gains and the ends of their intervals, (4, budgets), from budget 0 on."""
    points = [(0.0, 0.0, 0.0, 0.0)]
    for budget, effect in worst_cases.items():
        gain, down, up = estimate(effect)
        points.append((float(budget), gain, gain - down, gain + up))
    return np.array(points).T


def _names(axes: Axes, ends: dict[str, tuple[float, float, str]]) -> None:
    """Writes names at the right ends of lines, so far apart that none covers another."""
    low, high = axes.get_ylim()
    order = sorted(ends, key=lambda name: (ends[name][1], name))
    places = _apart([ends[name][1] for name in order], LABEL * (high - low), high)
    for name, place in zip(order, places, strict=True):
        budget, gain, colour = ends[name]
        axes.annotate(
            name,
            (budget, gain),
            (1.04, (place - low) / (high - low)),
            textcoords="axes fraction",
            color=colour,
            va="center",
            arrowprops={"color": colour, **LEADER},
        )


def _apart(places: Sequence[float], gap: float, top: float) -> list[float]:
    """Returns ascending places moved so that neighbours are a gap apart and none is above the top."""
    found = list(places)
    for i in range(1, len(found)):
        found[i] = max(found[i], found[i - 1] + gap)
    for i in reversed(range(len(found))):
        found[i] = min(found[i], top - gap * (len(found) - 1 - i))
    return found
