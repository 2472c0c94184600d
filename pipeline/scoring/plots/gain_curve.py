"""Gain against PSNR: small multiples of metrics, a line per attack through its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.board_panels import sections_of
from metric_robustness.pipeline.scoring.plots.layout.panels import (
    folded,
    legend_below,
    share_axes,
    side_by_side,
    small_multiples,
)
from metric_robustness.pipeline.scoring.plots.layout.signed import gain_axis
from metric_robustness.pipeline.scoring.plots.style import look
from metric_robustness.pipeline.scoring.tables.board_file import read_board

LEAST = 1.14  # inches of a panel's width
HEIGHT = 0.75
AROUND = 0.25  # inches that its title adds to it
TITLE = 0.95  # inches of a title, which is folded if it is longer


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a panel per metric and data set; all have the same axes, and one legend below them."""
    board = read_board(folder)
    metrics = [metric["metric"] for _, own in sections_of(board, names) for metric in own]
    path = folder / "scores.csv"
    if not path.is_file():
        raise BenchError(f"{folder} must hold scores.csv; got none: name with --from what `run --out` wrote")
    scores = pd.read_csv(path, keep_default_na=False, na_values={"psnr": [""], "absolute_gain": [""]})
    done = scores[scores["metric"].isin(metrics) & (scores["status"] == "done") & np.isfinite(scores["psnr"])]
    if done.empty:
        raise BenchError("there must be scored cells to draw; got none: run some cells first")
    groups = list(done.groupby(["metric", "dataset"]))
    looks = {attack: look(number) for number, attack in enumerate(sorted(done["attack"].unique()))}
    figure, panels = small_multiples([HEIGHT] * len(groups), width, LEAST, AROUND)
    several = done["dataset"].nunique() > 1
    for axes, ((metric, dataset), rows) in zip(panels, groups, strict=True):
        _lines(axes, rows, looks)
        axes.set_title(folded(f"{metric}, {dataset}" if several else str(metric), TITLE))
    gain_axis(panels, "y", HEIGHT)
    for axes in panels:
        axes.set_xlim(done["psnr"].min() - 1, done["psnr"].max() + 1)
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    share_axes(panels, side_by_side(len(panels), width, LEAST), "PSNR, dB", "absolute gain")
    marks: dict[str, Artist] = {
        attack: panels[0].plot([], [], markersize=3, **style)[0] for attack, style in looks.items()
    }
    legend_below(figure, marks, "" if several else f"attacks on {done['dataset'].iloc[0]}")
    return figure


def _lines(axes: Axes, rows: pd.DataFrame, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """Draws a line per attack, with the interval of every gain."""
    axes.axhline(0, color="0.6", linewidth=0.6, marker="", zorder=0)
    for attack, points in rows.sort_values(["psnr", "variant"]).groupby("attack"):
        ends = [pd.to_numeric(points[f"absolute_gain_{end}"], errors="coerce") for end in ("low", "high")]
        reach = np.abs(np.stack([points["absolute_gain"] - ends[0], ends[1] - points["absolute_gain"]]))
        axes.errorbar(
            points["psnr"],
            points["absolute_gain"],
            yerr=reach,
            markersize=3,
            linewidth=0.8,
            elinewidth=0.5,
            **looks[str(attack)],
        )
