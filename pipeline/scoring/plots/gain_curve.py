"""Gain against PSNR: a line per attack through its settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.board_panels import panels_below, sections_of
from metric_robustness.pipeline.scoring.tables.board_file import read_board


def draw(names: Sequence[str], folder: Path) -> Figure:
    """Draws a panel per metric and data set."""
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
    figure, panels = panels_below(len(groups), 4.5, [2.6] * len(groups))
    for axes, ((metric, dataset), rows) in zip(panels, groups, strict=True):
        for attack, points in rows.sort_values(["psnr", "variant"]).groupby("attack"):
            ends = [pd.to_numeric(points[f"absolute_gain_{end}"], errors="coerce") for end in ("low", "high")]
            reach = np.abs(np.stack([points["absolute_gain"] - ends[0], ends[1] - points["absolute_gain"]]))
            axes.errorbar(
                points["psnr"], points["absolute_gain"], yerr=reach, markersize=3, linewidth=0.8, label=attack
            )
        axes.set_title(f"{metric}, {dataset}", loc="left")
        axes.set_xlabel("PSNR of the attacked image, dB: further right is less visible")
        axes.set_ylabel("absolute gain")
        axes.legend(frameon=False, fontsize=6, ncols=2)
    return figure
