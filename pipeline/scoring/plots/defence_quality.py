"""Quality of what a defence returns against the shift that is left, mean over attacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from metric_robustness.pipeline.scoring.plots.defence_panels import SETTINGS, lines_of
from metric_robustness.pipeline.scoring.plots.style import COLOURS


def _label(setting: str) -> str:
    return SETTINGS.get(setting, "no defence")


def draw(names: Sequence[str], folder: Path) -> Figure:
    """Draws a panel per metric and data set."""
    lines = lines_of(names, folder)
    groups = list(lines.groupby(["metric", "dataset"]))
    figure = Figure(figsize=(4.5, 3.2 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), 1, squeeze=False)[:, 0]
    for axes, ((metric, dataset), own) in zip(panels, groups, strict=True):
        means = own.groupby(["defence", "setting"])[["quality", "shift"]].mean()
        looks = {"undefended": ("s", "black"), "non-adaptive": ("o", COLOURS[0]), "adaptive": ("^", COLOURS[1])}
        for setting, (mark, colour) in looks.items():
            points = means[means.index.get_level_values("setting") == setting]
            axes.plot(points["quality"], points["shift"], mark, color=colour, markersize=4, label=_label(setting))
        for defence, points in means.groupby("defence"):
            axes.plot(points["quality"], points["shift"], "-", color="0.7", linewidth=0.6, marker="", zorder=0)
            last = points.iloc[-1]  # of attacks that do not know the defence, if these were run
            place = (last["quality"], last["shift"])
            axes.annotate(str(defence), place, (3, 3), textcoords="offset points", fontsize=6)
        axes.set_title(f"{metric}, {dataset}", loc="left")
        axes.set_xlabel("quality of the purified attacked image, (SSIM + PSNR/80)/2")
        axes.set_ylabel("shift, in parts of the range")
    panels[0].legend(frameon=False, fontsize=6)
    return figure
