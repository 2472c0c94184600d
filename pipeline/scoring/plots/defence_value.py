"""Mean shift by the metric's score of the clear image, in fifths of the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from metric_robustness.pipeline.scoring.plots.defence_panels import curves

FIFTHS = 5  # parts that images are sorted into by their clear score


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a panel per metric, data set and setting, with a line per defence."""

    def curve(own: pd.DataFrame) -> tuple[Sequence[float], Sequence[float]]:
        ordered = own.sort_values("value", kind="stable")
        parts = [part for part in np.array_split(np.arange(len(ordered)), FIFTHS) if len(part)]
        return [ordered["value"].iloc[part].mean() for part in parts], [
            ordered["shift"].iloc[part].mean() for part in parts
        ]

    return curves(names, folder, curve, "score of the clear image, in parts of the range", width)
