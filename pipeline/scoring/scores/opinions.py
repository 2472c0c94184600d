"""How well scores agree with what people think of the images: rank and linear correlation with mean opinion scores."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from metric_robustness.pipeline.scoring.scores.ranks import spearman
from metric_robustness.pipeline.scoring.scores.robustness import Values

FEWEST = 3  # images; a correlation over fewer says nothing


class Agreement(NamedTuple):
    """Correlations of scores with mean opinion scores; nan for fewer than three rated images, or if all are equal."""

    srocc: float  # Spearman's, of ranks
    plcc: float  # Pearson's, of the scores as they are: no curve is fitted first


def agreement(scores: Values, opinions: Values, *, higher_is_better: bool) -> Agreement:
    """Returns how scores agree with opinions, from -1 to 1; 1 is best, also where a lower score is better.

    Args:
        scores: (N,), in the metric's own unit.
        opinions: (N,) mean opinion scores, higher is better; nan for images that nobody rated.
        higher_is_better: The metric's direction.
    """
    rated = np.isfinite(scores) & np.isfinite(opinions)
    x, y = scores[rated], opinions[rated]
    if len(x) < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Agreement(math.nan, math.nan)
    sign = 1 if higher_is_better else -1
    found = (spearman(x, y), np.corrcoef(x, y)[0, 1])
    return Agreement(*(sign * float(value) for value in found))


def before_and_after(
    rows: pd.DataFrame, *, higher_is_better: bool, clear: str = "clear", attacked: str = "attacked"
) -> dict[str, float]:
    """Returns the correlations of clear and of attacked scores with the opinions, by `OPINIONS`; {} if none was rated.

    People rated the clear images only. They would rate the attacked ones alike if the attack cannot be seen, so that a
    lower correlation after the attack is the accuracy that the attack cost the metric.

    Args:
        rows: Rows of one setting, each image once; the column `mos` holds the opinions.
        higher_is_better: The metric's direction.
        clear: The column of the clear scores.
        attacked: The column of the attacked scores.
    """
    opinions = rows["mos"].to_numpy(dtype=float)
    if not np.isfinite(opinions).any():
        return {}
    found: dict[str, float] = {}
    for moment, column in (("clear", clear), ("attacked", attacked)):
        agreed = agreement(rows[column].to_numpy(dtype=float), opinions, higher_is_better=higher_is_better)
        found |= {f"{name}_{moment}": value for name, value in agreed._asdict().items()}
    return found


OPINIONS = ("srocc_clear", "srocc_attacked", "plcc_clear", "plcc_attacked")  # the keys of `before_and_after`
