"""How sure a ranking is: intervals of ranks, who is above whom, and which difference of gains the images can show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy import special

from metric_robustness.pipeline.scoring.scores.ranks import ranks
from metric_robustness.pipeline.scoring.scores.robustness import Values
from metric_robustness.pipeline.scoring.scores.statistics import LEVEL

POWER = 0.8  # the probability with which a difference is to be found
ERRORS = special.ndtri((1 + LEVEL) / 2) + special.ndtri(POWER)  # standard errors of a difference that is found so


@dataclass(frozen=True)
class Ranking:
    """How sure the order of some metrics is; empty where resampling says nothing, as with a single image."""

    intervals: dict[str, tuple[int, int]] = field(default_factory=dict)  # the middle 95 % of a metric's ranks
    p_better: dict[str, dict[str, float]] = field(default_factory=dict)  # [A][B]: P(A above B)
    detectable: float | None = None  # `detectable_difference`, median over the pairs of metrics


def ranking(gains: Mapping[str, Values]) -> Ranking:
    """Returns how sure the order of metrics by gain, smallest first, is.

    Args:
        gains: By metric, its gain in every resample, (resamples,), all from the same draws, so that in each resample
            all metrics are compared on the same images. One whose gains are all unknown, as of a single image, is not
            compared; it may stand anywhere, so that the ranks of the others reach one further down.
    """
    names = sorted(name for name, values in gains.items() if np.isfinite(values).any())
    anywhere = len(gains) - len(names)
    table = np.stack([gains[name] for name in names]) if names else np.empty((0, 0))
    table = table[:, np.isfinite(table).all(axis=0)]  # a resample that drew no image of some metric is left out
    if not table.size:
        return Ranking()
    # Equal gains may stand in any of their places, so that the interval holds the rank that is printed.
    low = np.quantile(ranks(table, "min"), (1 - LEVEL) / 2, axis=1, method="nearest")
    high = np.quantile(ranks(table, "max"), (1 + LEVEL) / 2, axis=1, method="nearest")
    above = {
        name: {other: _p_above(table[i], table[j]) for j, other in enumerate(names) if j != i}
        for i, name in enumerate(names)
    }
    least = [detectable_difference(first - second) for first, second in combinations(table, 2)]
    return Ranking(
        {name: (int(first), int(last) + anywhere) for name, first, last in zip(names, low, high, strict=True)},
        above,
        float(np.median(least)) if least else None,
    )


def detectable_difference(differences: Values) -> float:
    """Returns the smallest true difference of two metrics' gains that as many images as these can show.

    A test at the 5 % level finds a difference of this size with a probability of 80 %. It is (z(.975) + z(.8)) times
    the standard error (Cohen 1988, chapter 2), here of the paired difference.

    Args:
        differences: The difference of the gains in every resample, (resamples,).
    """
    return float(ERRORS * differences.std(ddof=1))


def _p_above(first: Values, second: Values) -> float:
    """Returns the share of resamples in which the first gain is the smaller one; a tie counts as half."""
    return float((first < second).mean() + (first == second).mean() / 2)
