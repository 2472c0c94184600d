"""Security curves: gain against budget, a line per metric with its 95 % band."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.board_panels import caption, estimate, sections_of
from metric_robustness.pipeline.scoring.plots.layout.lines import named_lines
from metric_robustness.pipeline.scoring.plots.layout.panels import folded, small_multiples
from metric_robustness.pipeline.scoring.scores.curve import SHARE
from metric_robustness.pipeline.scoring.tables.board_file import Facts, read_board

HEIGHT = 1.8  # of a panel, inches
AROUND = 0.6  # what its title and its axis add to it
LEAST = 3.0  # inches of its width
MARGIN = 0.7  # inches left of its axes


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
        named_lines(axes, {metric["metric"]: _points(metric["curve"]["worst_cases"]) for metric in own})
        axes.set_xlim(0, section["budgets"][-1])
        axes.set_xticks([0, *section["budgets"]])
        axes.set_xlabel("largest change of a channel, in 255ths")
        axes.set_ylabel("absolute gain of the worst case\n(dotted: a tenth of the range)")
        axes.set_title(folded(caption(section), LEAST - MARGIN))
    return figure


def _points(worst_cases: Facts) -> np.ndarray:
    """Returns budgets, gains and the ends of their intervals, (4, budgets), from budget 0 on."""
    points = [(0.0, 0.0, 0.0, 0.0)]
    for budget, effect in worst_cases.items():
        gain, down, up = estimate(effect)
        points.append((float(budget), gain, gain - down, gain + up))
    return np.array(points).T
