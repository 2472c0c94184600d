"""Quality of what a defence returns against the gain that is left, mean over attacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from pipeline.scoring.plots.defence_panels import SETTINGS, lines_of
from pipeline.scoring.plots.style import COLOURS


def _label(setting: str) -> str:
    return SETTINGS.get(setting, "no defence")


def draw(names: Sequence[str], folder: Path) -> Figure:
    """Draws a panel per metric and data set."""
    lines = lines_of(names, folder)
    groups = list(lines.groupby(["metric", "dataset"]))
    figure = Figure(figsize=(4.5, 3.2 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), 1, squeeze=False)[:, 0]
    for axes, ((metric, dataset), own) in zip(panels, groups, strict=True):
        means = own.groupby(["defence", "setting"])[["quality", "gain_of_range"]].mean()
        looks = {"undefended": ("s", "black"), "non-adaptive": ("o", COLOURS[0]), "adaptive": ("^", COLOURS[1])}
        for setting, (mark, colour) in looks.items():
            points = means[means.index.get_level_values("setting") == setting]
            axes.plot(
                points["quality"], points["gain_of_range"], mark, color=colour, markersize=4, label=_label(setting)
            )
        for defence, points in means.groupby("defence"):
            axes.plot(points["quality"], points["gain_of_range"], "-", color="0.7", linewidth=0.6, marker="", zorder=0)
            last = points.iloc[-1]  # of attacks that do not know it, where these were run
            place = (last["quality"], last["gain_of_range"])
            axes.annotate(str(defence), place, (3, 3), textcoords="offset points", fontsize=6)
        axes.set_title(f"{metric}, {dataset}", loc="left")
        axes.set_xlabel("quality of the purified attacked image, (SSIM + PSNR/80)/2")
        axes.set_ylabel("gain, in parts of the range")
    panels[0].legend(frameon=False, fontsize=6)
    return figure
