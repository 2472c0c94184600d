"""Scatter plot: metrics by their gains under two attacks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.board_panels import caption, estimate, panels_below, require
from metric_robustness.pipeline.scoring.tables.board_file import read_board


def draw(names: Sequence[str], folder: Path) -> Figure:
    """Draws all sections in one panel; `names` are the two attacks."""
    board = read_board(folder)
    known = {attack: None for section in board["sections"] for attack in section["attacks"]}
    if len(names) != 2:
        raise BenchError(f"scatter must be given two attacks; got {len(names)}: there are {', '.join(known)}")
    require(names, known, "attack")
    figure, (axes,) = panels_below(1, 4.5, [4])
    for section in board["sections"]:
        points = [[estimate(metric["attacks"].get(attack)) for attack in names] for metric in section["metrics"]]
        x, y = (np.array([point[i] for point in points]) for i in (0, 1))
        if not np.isfinite(x[:, 0] + y[:, 0]).any():
            continue  # no metric of the section has both
        axes.errorbar(
            x[:, 0],
            y[:, 0],
            xerr=x[:, 1:].T,
            yerr=y[:, 1:].T,
            fmt="o",
            markersize=3,
            linewidth=0.7,
            label=caption(section),
        )
        for metric, (across, up) in zip(section["metrics"], points, strict=True):
            if math.isfinite(across[0] + up[0]):
                axes.annotate(metric["metric"], (across[0], up[0]), (3, 3), textcoords="offset points", fontsize=6)
    axes.axline((0, 0), slope=1, color="0.6", linewidth=0.7, marker="")
    axes.set_xlabel(f"absolute gain under {names[0]}")
    axes.set_ylabel(f"absolute gain under {names[1]}")
    axes.legend(frameon=False)
    return figure
