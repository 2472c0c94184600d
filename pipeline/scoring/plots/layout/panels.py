"""The layout of figures: panels side by side where the width has room for them, and one legend below them all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from metric_robustness.pipeline.scoring.plots.style import POINTS

INCH = 72  # points
LINE = 1.3 * POINTS / INCH  # inches from one line of text to the next
KEY = 0.5  # inches that a legend needs for an entry besides its name


def small_multiples(heights: Sequence[float], width: float, least: float, around: float) -> tuple[Figure, list[Axes]]:
    """Returns a figure and its panels, as many beside each other as there is room for.

    Args:
        heights: Of each panel's axes, in inches; a row is as high as its highest panel.
        width: Of the figure, in inches.
        least: Width that a panel must have, in inches.
        around: What title, ticks and labels add to a row's height, in inches.
    """
    across = side_by_side(len(heights), width, least)
    rows = [max(heights[start : start + across]) for start in range(0, len(heights), across)]
    figure = Figure(figsize=(width, sum(rows) + around * len(rows)), layout="constrained")
    axes = list(figure.subplots(len(rows), across, squeeze=False, height_ratios=rows).flat)
    for unused in axes[len(heights) :]:
        unused.remove()
    return figure, axes[: len(heights)]


def side_by_side(count: int, width: float, least: float) -> int:
    """Returns how many of so many panels stand in a row."""
    return max(min(int(width / least), count), 1)


def share_axes(panels: Sequence[Axes], across: int, x: str, y: str) -> None:
    """Gives panels the same limits, and labels at the left of each row and where no panel is below.

    Args:
        panels: Row by row.
        across: How many stand in a row.
        x: What to write below.
        y: What to write at the left.
    """
    ends = np.array([[axes.get_xlim(), axes.get_ylim()] for axes in panels])
    (left, bottom), (right, top) = ends[..., 0].min(axis=0), ends[..., 1].max(axis=0)
    for place, axes in enumerate(panels):
        below, first = place + across >= len(panels), place % across == 0
        axes.set(xlim=(left, right), ylim=(bottom, top), xlabel=x if below else "", ylabel=y if first else "")
        axes.tick_params(labelbottom=below, labelleft=first)


def legend_below(figure: Figure, named: dict[str, Artist], title: str = "") -> None:
    """Writes the legend below all panels, in as many columns as the width has room for; the figure grows by it."""
    width, height = figure.get_size_inches()
    columns = max(min(int(width / (max(map(inches, named)) + KEY)), len(named)), 1)
    lines = -(-len(named) // columns) + bool(title)
    figure.set_figheight(height + LINE * (lines + 1))
    figure.legend(
        list(named.values()),
        list(named),
        loc="outside lower left",
        ncols=columns,
        title=title or None,
        alignment="left",
        columnspacing=1,
        handlelength=1.5,
        labelspacing=0.25,
    )


@cache
def inches(text: str) -> float:
    """Returns how wide a text is printed."""
    return float(TextPath((0, 0), text, size=POINTS).get_extents().width) / INCH


def folded(text: str, width: float) -> str:
    """Returns a text broken into lines, at blanks or after low lines, where it is wider than so many inches."""
    lines = [""]
    for part in re.split(r"(?<=_)|(?<=[^\d] )", text):  # a number stays with what it counts
        if lines[-1] and inches(lines[-1] + part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)
