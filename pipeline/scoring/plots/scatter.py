"""Scatter plot: metrics by their gains under two attacks, each kind of metrics in a panel of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.board_panels import caption, estimate, require
from metric_robustness.pipeline.scoring.plots.layout.labels import write_names
from metric_robustness.pipeline.scoring.plots.layout.panels import folded, small_multiples
from metric_robustness.pipeline.scoring.plots.layout.signed import gain_axis
from metric_robustness.pipeline.scoring.tables.board_file import Facts, read_board

LEAST = 3.0  # inches of a panel's width
HEIGHT = 2.5
AROUND = 0.75  # inches that title and axis add to it
MARGIN = 0.6  # inches left of the axes


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a panel per section that has both attacks, each with axes of its own; `names` are the two attacks."""
    board = read_board(folder)
    known = {attack: None for section in board["sections"] for attack in section["attacks"]}
    if len(names) != 2:
        raise BenchError(f"scatter must be given two attacks; got {len(names)}: there are {', '.join(known)}")
    require(names, known, "attack")
    sections = [(section, found) for section in board["sections"] if (found := _both(section, names))]
    if not sections:
        raise BenchError(f"a metric must have been attacked by both {names[0]} and {names[1]}; got none: run them")
    figure, panels = small_multiples([HEIGHT] * len(sections), width, LEAST, AROUND)
    for axes, (_, found) in zip(panels, sections, strict=True):
        x, y = (np.array([point[i] for point in found.values()]) for i in (0, 1))
        axes.errorbar(
            x[:, 0],
            y[:, 0],
            xerr=x[:, 1:].T,
            yerr=y[:, 1:].T,
            linewidth=0,
            marker="o",
            markersize=3,
            elinewidth=0.4,
            ecolor="0.75",
        )
        axes.axline((0, 0), slope=1, color="0.6", linewidth=0.6, marker="", zorder=0)
        axes.set_xlabel(f"absolute gain under {names[0]}")
        axes.set_ylabel(f"absolute gain under {names[1]}")
        axes.set_title("\n")  # room for two lines
        gain_axis([axes], "x", HEIGHT)
        gain_axis([axes], "y", HEIGHT)
    figure.draw_without_rendering()  # only now is known where points are seen
    for axes, (section, found) in zip(panels, sections, strict=True):
        without = write_names(axes, {name: (across[0], up[0]) for name, (across, up) in found.items()})
        left_out = f"; no room for {len(without)} of {len(found)} names" if without else ""
        axes.set_title(folded(caption(section) + left_out, LEAST - MARGIN))
    return figure


def _both(section: Facts, names: Sequence[str]) -> dict[str, list[tuple[float, float, float]]]:
    """Returns the gains under both attacks, with how far their intervals reach, of the metrics that have both."""
    points = {
        metric["metric"]: [estimate(metric["attacks"].get(attack)) for attack in names] for metric in section["metrics"]
    }
    return {name: found for name, found in points.items() if math.isfinite(found[0][0] + found[1][0])}
