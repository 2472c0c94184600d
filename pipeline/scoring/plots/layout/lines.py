"""Lines with their bands: as many as there are colours have names at their right ends, all others are grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from metric_robustness.pipeline.scoring.plots.style import COLOURS, MARKS

LABEL = 0.08  # of a panel's height: how far the names of two lines must be apart
LEADER = {"arrowstyle": "-", "linewidth": 0.5, "relpos": (0, 0.5), "shrinkA": 0, "shrinkB": 2}  # to a name's left end
OTHERS = "0.75"  # the grey of lines without a name


def named_lines(axes: Axes, lines: Mapping[str, np.ndarray]) -> None:
    """Draws lines from 0 up: those that have names in colours and with bands, all others thin and grey below them.

    Args:
        axes: The panel.
        lines: By name: places, values and the ends of their intervals, (4, points).
    """
    named = spread(list(lines), len(COLOURS))
    ends = {}
    for name, (places, values, low, high) in lines.items():
        if name not in named:
            axes.plot(places, values, color=OTHERS, linewidth=0.6, marker="", zorder=1)
            continue
        colour, mark = COLOURS[named.index(name)], MARKS[named.index(name)]
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(places, values, color=colour, marker=mark, markersize=3, linewidth=1, clip_on=False, zorder=3)
        ends[name] = (float(places[-1]), float(values[-1]), colour)
    axes.set_ylim(0)
    _names(axes, ends)
    if others := len(lines) - len(named):
        axes.text(
            0.02, 0.98, f"grey: {others} other metric{'' if others == 1 else 's'}", transform=axes.transAxes, va="top"
        )


def spread(names: Sequence[str], most: int) -> list[str]:
    """Returns at most so many of the names: first, last, and some evenly between them."""
    if len(names) <= most:
        return list(names)
    return [names[i] for i in np.linspace(0, len(names) - 1, most).round().astype(int)]


def _names(axes: Axes, ends: dict[str, tuple[float, float, str]]) -> None:
    """Writes names at the right ends of lines, so far apart that none covers another."""
    low, high = axes.get_ylim()
    order = sorted(ends, key=lambda name: (ends[name][1], name))
    places = _apart([ends[name][1] for name in order], LABEL * (high - low), high)
    for name, place in zip(order, places, strict=True):
        end, value, colour = ends[name]
        axes.annotate(
            name,
            (end, value),
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
