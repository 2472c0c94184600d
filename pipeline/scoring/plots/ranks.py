"""Ranks: every metric's rank with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.board_panels import caption, panels_below, sections_of
from metric_robustness.pipeline.scoring.plots.style import COLOURS
from metric_robustness.pipeline.scoring.tables.board_file import read_board


def draw(names: Sequence[str], folder: Path) -> Figure:
    """Draws a panel per section of the leaderboard."""
    board = read_board(folder)
    ranked = [(section, [each for each in own if each["rank"]]) for section, own in sections_of(board, names)]
    ranked = [(section, own) for section, own in ranked if own]
    if not ranked:
        raise BenchError(
            "there must be a ranked metric to draw; got none: every attack of the table must be done on it"
        )
    figure, panels = panels_below(len(ranked), 4.5, [0.9 + 0.2 * len(own) for _, own in ranked])
    for axes, (section, own) in zip(panels, ranked, strict=True):
        places = range(len(own))
        for place, metric in zip(places, own, strict=True):
            low, high = metric["rank_interval"] or (math.nan, math.nan)
            axes.plot([low, high], [place, place], color=COLOURS[0], marker="|", linewidth=2, alpha=0.6)
            axes.plot(metric["rank"], place, color=COLOURS[1], marker="o", markersize=4)
        axes.set_yticks(places, [metric["metric"] for metric in own])
        axes.invert_yaxis()
        axes.set_xlim(0.5, max(each["rank"] or 0 for each in section["metrics"]) + 0.5)
        axes.set_xlabel("rank, with its 95 % interval")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_title(caption(section), loc="left")
    return figure
