"""The security curve: how far a metric can be moved within each budget, and the two numbers that it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from metric_robustness.pipeline.scoring.scores.effects import Effect, Resampled
from metric_robustness.pipeline.scoring.scores.robustness import Values
from metric_robustness.pipeline.scoring.scores.statistics import LEVEL, UNKNOWN, Estimate, Interval, interval

SHARE = 0.1  # of the range: the move whose smallest budget is told


@dataclass(frozen=True)
class Curve:
    """The worst case within each budget.

    Attributes:
        effects: By budget, in 255ths, smallest first. A larger budget allows all that a smaller one does, so that the
            absolute gain never falls.
        area: The mean absolute gain over all budgets from 0 to the largest (integral robustness).
        smallest: The smallest budget, in 255ths, whose worst case is a tenth of the range; infinite where none is.
    """

    effects: Mapping[int, Effect]
    area: Estimate
    smallest: Estimate


def curve_of(effects: Mapping[int, Resampled]) -> Curve:
    """Returns the curve through the worst cases within some budgets, and through no gain within budget 0.

    Args:
        effects: By budget, in 255ths; all of the same images.
    """
    budgets = np.array([0, *effects], dtype=np.float64)
    means = np.array([0, *(effect.scores["absolute_gain"] for effect in effects.values())])
    replicates = np.stack([effect.gains for effect in effects.values()])
    replicates = np.concatenate([np.zeros_like(replicates[:1]), replicates])
    areas, smallest = _area(budgets, replicates), _smallest(budgets, replicates)
    return Curve(
        {budget: effect.summary for budget, effect in effects.items()},
        Estimate(float(_area(budgets, means[:, None])[0]), *interval(areas)),
        Estimate(float(_smallest(budgets, means[:, None])[0]), *_ends(smallest)),
    )


def _area(budgets: Values, gains: Values) -> Values:
    """Returns the mean height of curves, (N,), from their values, (budgets, N), by the trapezoidal rule."""
    area: Values = (np.diff(budgets)[:, None] * (gains[1:] + gains[:-1]) / 2).sum(axis=0) / budgets[-1]
    return area


def _smallest(budgets: Values, gains: Values) -> Values:
    """Returns where curves, (budgets, N), first reach SHARE, (N,), between two budgets on the line that joins them.

    Infinite where they never do, nan where they are unknown.
    """
    reached = gains >= SHARE
    last = np.maximum(reached.argmax(axis=0), 1)
    columns = np.arange(gains.shape[1])
    below, above = gains[last - 1, columns], gains[last, columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (SHARE - below) / (above - below)
    found: Values = budgets[last - 1] + share * (budgets[last] - budgets[last - 1])
    found[~reached.any(axis=0)] = np.inf
    found[np.isnan(gains).any(axis=0)] = np.nan
    return found


def _ends(replicates: Values) -> Interval:
    """Returns the middle 95 % of replicates that may be infinite."""
    known = replicates[~np.isnan(replicates)]
    if not known.size:
        return UNKNOWN
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    return float(low), float(high)
