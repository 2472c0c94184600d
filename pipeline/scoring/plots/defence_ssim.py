"""Mean shift over the attacked images that are at least as similar to the clear ones as the axis says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from metric_robustness.pipeline.scoring.plots.defence_panels import curves


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a panel per metric, data set and setting, with a line per defence."""

    def curve(own: pd.DataFrame) -> tuple[Sequence[float], Sequence[float]]:
        ordered = own.sort_values("ssim", ascending=False)
        means = ordered["shift"].expanding().mean().groupby(ordered["ssim"]).last()
        return list(means.index), list(means)

    return curves(names, folder, curve, "least SSIM of the attacked images", width)
