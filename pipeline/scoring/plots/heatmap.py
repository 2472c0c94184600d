"""Heat map of absolute gains: metrics by attacks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from metric_robustness.pipeline.scoring.plots.board_panels import caption, estimate, panels_below, sections_of
from metric_robustness.pipeline.scoring.tables.board_file import read_board


def draw(names: Sequence[str], folder: Path) -> Figure:
    """Draws a panel per section of the leaderboard."""
    board = read_board(folder)
    sections = sections_of(board, names)
    columns = max(len(section["attacks"]) for section, _ in sections)
    figure, panels = panels_below(
        len(sections), 1.8 + 0.5 * columns, [1 + 0.28 * max(3, len(own)) for _, own in sections]
    )
    for axes, (section, own) in zip(panels, sections, strict=True):
        attacks = list(section["attacks"])
        gains = np.array([[estimate(metric["attacks"].get(attack))[0] for attack in attacks] for metric in own])
        shown = axes.imshow(gains, cmap="cividis", vmin=0, vmax=max(1e-6, np.nanmax(gains, initial=0)), aspect="auto")
        axes.set_xticks(range(len(attacks)), attacks, rotation=45, ha="right")
        axes.set_yticks(range(len(own)), [metric["metric"] for metric in own])
        axes.set_title(caption(section), loc="left")
        for (i, j), gain in np.ndenumerate(gains):
            absent = "spared" if attacks[j] in own[i]["spared"] else "n/a"
            text = absent if math.isnan(gain) else f"{gain:.2f}"
            dark = gain < shown.get_clim()[1] / 2  # False for nan, whose cell is white
            axes.text(j, i, text, ha="center", va="center", fontsize=6, color="white" if dark else "black")
        figure.colorbar(shown, ax=axes, label="absolute gain", extend="min")
    return figure
