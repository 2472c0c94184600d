"""The scores: how far an attack moved a metric, from the clear and the attacked scores of the same images.

`SCORES` declares each score once: tables, pages, CSV and JSON take its title, formula and direction from there. To add
a score that is a mean over images, add an item there and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metric_robustness.pipeline.errors import DataError

Values: TypeAlias = NDArray[np.float64]  # (N,), one per image
PooledOrder: TypeAlias = NDArray[np.intp]  # (2N,): places in clear and attacked scores, one after the other

BENCHMARK = "https://arxiv.org/abs/2310.06958"  # Antsiferova et al. 2024, the original benchmark's methodology
R_SCORE = "https://arxiv.org/abs/2210.00933"  # Zhang et al. 2022; the original benchmark's code computes it, too

NARROWEST = 1e-37  # a range: single precision, which scores have, holds no smaller number in all its digits
EPS = 1e-6  # keeps the R-scores finite where the attack changed nothing


@dataclass(frozen=True)
class ScoreScale:
    """Scales a metric's scores from its own unit to s: 0 at the worst end of its range, 1 at the best."""

    low: float
    high: float
    higher_is_better: bool = True
    source: str = ""  # where low and high come from: "ranges.csv", "declared" or "subset"

    def __post_init__(self) -> None:
        """Raises DataError for a range that is not finite, or so narrow that scaled scores might not be."""
        if not NARROWEST <= self.high - self.low < math.inf:
            told = f"got {self.low:.6g} to {self.high:.6g}"
            raise DataError(f"a range must be finite, low below high by at least {NARROWEST:.0g}; {told}")

    def __call__(self, values: Values) -> Values:
        """Returns s(v) = (v - low) / (high - low), or 1 minus that where lower is better; it may leave [0, 1]."""
        scaled = (values - self.low) / (self.high - self.low)
        return scaled if self.higher_is_better else 1 - scaled


def subset_scale(clear: Values, *, higher_is_better: bool = True) -> ScoreScale:
    """Returns the scale from the smallest to the largest of the clear scores, (N,), of exactly the rows to be scored.

    Only for comparison with the published numbers: the fewer the images, the larger the gains it gives.

    Raises:
        DataError: If there is no clear score, or they are all equal, as with one image.
    """
    if clear.size == 0 or not clear.min() < clear.max():
        raise DataError(
            f"clear scores must differ for subset scaling; got {clear.size} with one value: use fixed scaling"
        )
    return ScoreScale(float(clear.min()), float(clear.max()), higher_is_better, "subset")


@dataclass(frozen=True)
class Score:
    """A score and how it is computed; c and a are the clear and the attacked scores on the scale.

    Attributes:
        title: Its heading in tables.
        formula: How it is computed, in one line.
        reads: What a value of it means.
        source: The paper that defines it.
        place: Its place in `score --json`, which lists the scores as the published results do.
        term: Of a score that is a mean over images, the value of each image, from c and a, (N,) each.
        distance: Of a score that compares two sets of scores, their distance without a sign, from |F_c - F_a| between
            neighbouring scores and the widths of these intervals.
        higher_is_better: Whether a higher score is a more robust metric.
        brief: Whether it is shown where there is room for a few scores only.
    """

    title: str
    formula: str
    reads: str
    source: str
    place: int
    term: Callable[[Values, Values], Values] | None = None
    distance: Callable[[Values, Values], float] | None = None
    higher_is_better: bool = False
    brief: bool = False


def _relative_gain(before: Values, after: Values) -> Values:
    """Returns (a - c) / (c + 1), and nan where c <= -1: there the denominator is not positive."""
    return np.where(before > -1, (after - before) / (before + 1), np.nan)


def _r_score(before: Values, after: Values) -> Values:
    return _log_ratio(np.maximum(1 - before, before), before, after)


def _r_score_printed(before: Values, after: Values) -> Values:
    """Returns the R-score with max(1 - a, c), as the methodology page prints it.

    That page has no EPS; the published numbers were computed with it, so it is here. A maximum below 0 counts as 0, so
    that an image with c <= 0 and a >= 1, as some published rows have, gives -inf.
    """
    return _log_ratio(np.maximum(np.maximum(1 - after, before), 0), before, after)


def _log_ratio(room: Values, before: Values, after: Values) -> Values:
    ratio: Values = np.log10(room / (np.abs(after - before) + EPS))
    return ratio


def _wasserstein(gaps: Values, widths: Values) -> float:
    """Returns W1(c, a)."""
    return float(np.vecdot(gaps, widths))


def _energy_distance(gaps: Values, widths: Values) -> float:
    """Returns sqrt(2 ∫ (F_c - F_a)²)."""
    return float(np.sqrt(2) * np.sqrt(np.vecdot(gaps**2, widths)))


def pooled_order(before: Values, after: Values) -> PooledOrder:
    """Returns the order of two sets of scores together, (2N,); equal scores may come in any."""
    order: PooledOrder = np.argsort(np.concatenate((before, after)))
    return order


def distribution_gaps(before: Values, after: Values, order: PooledOrder) -> tuple[Values, Values]:
    """Returns |F_c - F_a| between neighbouring scores of both sets, and how wide these intervals are: 0 between equals.

    The distances made of it have the values of scipy.stats, whose import takes every job half a second.
    """
    pooled = np.concatenate((before, after))
    clear = np.cumsum(order[:-1] < before.size)
    attacked = np.arange(1, pooled.size) - clear
    return np.abs(clear / before.size - attacked / after.size), np.diff(pooled[order])


WASSERSTEIN = Score(
    title="Wasserstein",
    formula="between the two sets of scores, with the gain's sign",
    reads="how far the whole distribution moved",
    source=BENCHMARK,
    place=4,
    distance=_wasserstein,
)
SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "absolute_gain": Score(
            title="absolute gain",
            formula="mean(a - c)",
            reads="0.1: the score rose by a tenth of the range",
            source=BENCHMARK,
            place=3,
            term=lambda before, after: after - before,
            brief=True,
        ),
        "relative_gain": Score(
            title="relative gain",
            formula="mean((a - c) / (c + 1))",
            reads="the same, less where the score was high already",
            source=BENCHMARK,
            place=2,
            term=_relative_gain,
        ),
        "r_score": Score(
            title="R-score",
            formula="mean(log10(max(1 - c, c) / (|a - c| + 1e-6)))",
            reads="higher is more robust; 1: the score moved by a tenth of what it could",
            source=R_SCORE,
            place=1,
            term=_r_score,
            higher_is_better=True,
            brief=True,
        ),
        "r_score_printed": Score(
            title="R-score as printed",
            formula="mean(log10(max(1 - a, c) / (|a - c| + 1e-6)))",
            reads="the wording of the original methodology page",
            source=BENCHMARK,
            place=6,
            term=_r_score_printed,
            higher_is_better=True,
        ),
        "wasserstein": WASSERSTEIN,
        "energy_distance": replace(WASSERSTEIN, title="energy distance", place=5, distance=_energy_distance),
    }
)
BRIEF = tuple(name for name, score in SCORES.items() if score.brief)


def robustness(before: Values, after: Values, order: PooledOrder | None = None) -> dict[str, float]:
    """Returns every score of `SCORES` by name; one image is enough for all of them.

    A mean score is the mean of its `terms`. A distance has the sign of mean a - mean c.

    Args:
        before: The scaled clear scores, (N,).
        after: The scaled attacked scores of the same images, (N,).
        order: Their `pooled_order`, if it is known already.

    Raises:
        DataError: If there is no image, the lengths differ or a score is not finite.
    """
    _require_finite(before, after)
    with np.errstate(invalid="ignore"):
        scores = {name: float(values.mean()) for name, values in terms(before, after).items()}
    sign = float(np.sign(after.mean() - before.mean()))
    gaps, widths = distribution_gaps(before, after, pooled_order(before, after) if order is None else order)
    return scores | {name: sign * score.distance(gaps, widths) for name, score in SCORES.items() if score.distance}


def terms(before: Values, after: Values) -> dict[str, Values]:
    """Returns, for every mean score, the value of each image, (N,); arguments as in `robustness`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: score.term(before, after) for name, score in SCORES.items() if score.term}


def _require_finite(before: Values, after: Values) -> None:
    if before.shape != after.shape or before.ndim != 1 or before.size == 0:
        raise DataError(
            f"clear and attacked scores must be one each for at least one image; got {before.shape} and {after.shape}"
        )
    broken = int((~(np.isfinite(before) & np.isfinite(after))).sum())
    if broken:
        raise DataError(f"scores must be finite; got {broken} of {before.size} that are not: exclude those images")
