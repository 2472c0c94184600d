"""Ranks and their correlation, with the values of scipy.stats, whose import takes every job half a second."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from metric_robustness.pipeline.scoring.scores.robustness import Values


def ranks(values: Values) -> Values:
    """Returns the ranks of values, (N,) or (N, M) with each column for itself, from 1; equal values share the mean."""
    found: Values = pd.DataFrame(values).rank().to_numpy()
    return found.reshape(values.shape)


def spearman(first: Values, second: Values) -> float:
    """Returns Spearman's rank correlation of two (N,) arrays; nan if one holds nan, or equal values only."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(np.corrcoef(ranks(first), ranks(second))[0, 1])
