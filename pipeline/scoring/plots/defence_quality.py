"""Quality of what a defence returns against the shift that is left, mean over attacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metric_robustness.pipeline.scoring.plots.defence_panels import SETTINGS, lines_of
from metric_robustness.pipeline.scoring.plots.layout.labels import write_names
from metric_robustness.pipeline.scoring.plots.layout.panels import folded, legend_below, small_multiples
from metric_robustness.pipeline.scoring.plots.style import COLOURS

LEAST = 3.0  # inches of a panel's width
HEIGHT = 2.4
AROUND = 0.85  # inches that title and axis add to it
MARGIN = 0.6  # inches left of the axes
LOOKS = {"undefended": ("s", "black"), "non-adaptive": ("o", COLOURS[0]), "adaptive": ("^", COLOURS[1])}


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a panel per metric and data set; a line leads from a defence's one setting to the other."""
    groups = {
        f"{metric}, {dataset}": own.groupby(["defence", "setting"])[["quality", "shift"]].mean()
        for (metric, dataset), own in lines_of(names, folder).groupby(["metric", "dataset"])
    }
    figure, panels = small_multiples([HEIGHT] * len(groups), width, LEAST, AROUND)
    marks: dict[str, Artist] = {}
    for axes, means in zip(panels, groups.values(), strict=True):
        marks |= _points(axes, means)
        axes.margins(0.12)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_title("\n")  # room for two lines
        axes.set_xlabel(folded("quality of the purified attacked image, (SSIM + PSNR/80)/2", LEAST - MARGIN))
        axes.set_ylabel("shift, in parts of the range")
    legend_below(figure, marks)
    figure.draw_without_rendering()  # only now is known where points are seen
    for axes, (title, means) in zip(panels, groups.items(), strict=True):
        points = {str(defence): tuple(own.iloc[-1]) for defence, own in means.groupby("defence")}
        left = write_names(axes, points, [tuple(point) for point in means.to_numpy()])
        left_out = f"; no room for {len(left)} of {len(points)} names" if left else ""
        axes.set_title(folded(title + left_out, LEAST - MARGIN))
    return figure


def _points(axes: Axes, means: pd.DataFrame) -> dict[str, Artist]:
    """Draws the means of a metric, and returns the marks of its settings by what they mean."""
    marks: dict[str, Artist] = {}
    for setting, (mark, colour) in LOOKS.items():
        points = means[means.index.get_level_values("setting") == setting]
        if len(points):
            words = SETTINGS.get(setting, "no defence")
            (marks[words],) = axes.plot(
                points["quality"], points["shift"], mark, color=colour, markersize=4, label=words
            )
    for _, points in means.groupby("defence"):
        axes.plot(points["quality"], points["shift"], "-", color="0.8", linewidth=0.6, marker="", zorder=0)
    return marks
