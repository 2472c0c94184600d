"""Ranks and their correlation, with the values of scipy.stats, whose import takes every job half a second."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pandas as pd

from metric_robustness.pipeline.scoring.scores.robustness import Values


def ranks(values: Values, equal: Literal["average", "min", "max"] = "average") -> Values:
    """Returns the ranks of values, from 1.

    Args:
        values: (N,), or (N, M) with each column for itself.
        equal: What equal values get: the mean, the first or the last of their ranks.
    """
    found: Values = pd.DataFrame(values).rank(method=equal).to_numpy()
    return found.reshape(values.shape)


def spearman(first: Values, second: Values) -> float:
    """Returns Spearman's rank correlation of two (N,) arrays; nan if one holds nan, or equal values only."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(np.corrcoef(ranks(first), ranks(second))[0, 1])
