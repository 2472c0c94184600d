"""What an attack did to a metric image by image: histograms and points that the browser draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from metric_robustness.pipeline.scoring.scores.robustness import ScoreScale, Values

BINS = 24
POINTS = 200  # per attack at most: a page holds the points of all attacks on all data sets


def profile(rows: pd.DataFrame, scale: ScoreScale) -> dict[str, Any]:
    """Returns one attack's data for the plots of a metric's page, as JSON can hold it.

    Args:
        rows: The rows of one attack under one setting.
        scale: The metric's scale.

    Returns:
        `edges`, `clear` and `attacked`: a histogram of the scores in the metric's own unit; `points`: PSNR, SSIM and
        gain of images, at most `POINTS` of them, evenly taken in the rows' order; `images`: how many rows there are;
        `settings`: how many settings an image has, one per training set and amplitude of a universal pattern;
        `unchanged`: how many points have an infinite PSNR, since no pixel changed.
    """
    clear, attacked = rows["clear"].to_numpy(), rows["attacked"].to_numpy()
    edges = np.histogram_bin_edges(np.concatenate([clear, attacked]), BINS)
    taken = np.unique(np.linspace(0, len(rows) - 1, min(POINTS, len(rows))).round().astype(int))
    gain = scale(attacked[taken]) - scale(clear[taken])
    points = np.column_stack([rows["psnr"].to_numpy()[taken], rows["ssim"].to_numpy()[taken], gain])
    settings = zip(rows["train_dataset"].tolist(), rows["amplitude"].fillna(-1).tolist(), strict=True)
    return {
        "edges": _short(edges),
        "clear": np.histogram(clear, edges)[0].tolist(),
        "attacked": np.histogram(attacked, edges)[0].tolist(),
        "points": [_short(point) for point in points],
        "images": len(rows),
        "settings": len(set(settings)),
        "unchanged": int(np.isposinf(points[:, 0]).sum()),
    }


def _short(values: Values) -> list[float | None]:
    """Returns numbers with 4 significant digits, which is finer than a pixel; None for those that are not finite."""
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in values]
