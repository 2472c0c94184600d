"""Ranks: every metric's rank with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.board_panels import caption, sections_of
from metric_robustness.pipeline.scoring.plots.layout.panels import LINE, folded, inches, side_by_side, small_multiples
from metric_robustness.pipeline.scoring.plots.style import COLOURS
from metric_robustness.pipeline.scoring.tables.board_file import read_board

LEAST = 3.0  # inches of a panel's width
AROUND = 0.85  # inches that title and axis add to a panel's height
MARGIN = 0.4  # inches beside the names of metrics


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a panel per section of the leaderboard."""
    board = read_board(folder)
    ranked = [(section, [each for each in own if each["rank"]]) for section, own in sections_of(board, names)]
    ranked = [(section, own) for section, own in ranked if own]
    if not ranked:
        raise BenchError(
            "there must be a ranked metric to draw; got none: every attack of the table must be done on it"
        )
    figure, panels = small_multiples([LINE * len(own) for _, own in ranked], width, LEAST, AROUND)
    beside = max(inches(metric["metric"]) for _, own in ranked for metric in own)
    room = width / side_by_side(len(ranked), width, LEAST) - beside - MARGIN  # for titles, in inches
    for axes, (section, own) in zip(panels, ranked, strict=True):
        places = range(len(own))
        for place, metric in zip(places, own, strict=True):
            low, high = metric["rank_interval"] or (math.nan, math.nan)
            axes.plot([low, high], [place, place], color=COLOURS[0], marker="|", linewidth=1.5, alpha=0.6)
            axes.plot(metric["rank"], place, color=COLOURS[1], marker="o", markersize=3.5)
        axes.set_yticks(places, [metric["metric"] for metric in own])
        axes.set_ylim(len(own) - 0.4, -0.6)
        axes.set_xlim(0.5, max(each["rank"] or 0 for each in section["metrics"]) + 0.5)
        axes.set_xlabel("rank, with its 95 % interval")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_title(folded(caption(section), room))
    return figure
