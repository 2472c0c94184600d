"""The scores: how far an attack moved a metric, from the clear and the attacked scores of the same images.

Sources: absolute and relative gain, Wasserstein score, energy distance and the R-score as printed are those of the
methodology page of the original benchmark (Antsiferova et al. 2024, https://arxiv.org/abs/2310.06958); the R-score is
Zhang et al. 2022 (https://arxiv.org/abs/2210.00933), which is also what the original benchmark's code computes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.errors import DataError

Values: TypeAlias = NDArray[np.float64]  # (N,), one per image

MEANS = ("absolute_gain", "relative_gain", "r_score", "r_score_printed")  # means over images of a term per image
DISTANCES = ("wasserstein", "energy_distance")  # between the distributions of clear and attacked scores
SCORES = MEANS + DISTANCES

EPS = 1e-6  # keeps the R-scores finite where the attack changed nothing


@dataclass(frozen=True)
class ScoreScale:
    """What turns a metric's own unit into s: 0 at the worst end of its range, 1 at the best."""

    low: float
    high: float
    higher_is_better: bool = True
    source: str = ""  # where low and high come from: "ranges.csv", "declared" or "subset"

    def __post_init__(self) -> None:
        """Refuses a range that nothing can be divided by."""
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise DataError(f"a range must be finite, low below high; got {self.low:.6g} to {self.high:.6g}")

    def __call__(self, values: Values) -> Values:
        """Returns s(v) = (v - low) / (high - low), or 1 minus that where lower is better."""
        scaled = (values - self.low) / (self.high - self.low)
        return scaled if self.higher_is_better else 1 - scaled


def subset_scale(clear: Values, *, higher_is_better: bool = True) -> ScoreScale:
    """Returns the scale of exactly these rows: the smallest and the largest clear score.

    Only for comparison with the published numbers: the fewer the images, the larger the gains it gives.

    Raises:
        DataError: If there is no clear score, or they are all equal, as with one image.
    """
    if clear.size == 0 or not clear.min() < clear.max():
        raise DataError(
            f"clear scores must differ for subset scaling; got {clear.size} with one value: use fixed scaling"
        )
    return ScoreScale(float(clear.min()), float(clear.max()), higher_is_better, "subset")


def robustness(before: Values, after: Values) -> dict[str, float]:
    """Returns every score of `SCORES`, from scaled scores.

    With c = s(clear) and a = s(attacked), the mean ones are those of `terms`, and

    - wasserstein = W1(c, a) · sign(mean a - mean c)
    - energy_distance = sqrt(2 ∫ (F_c - F_a)²) · the same sign

    One image is enough for all of them. `r_score_printed` is -inf as soon as one image has s(c) <= 0 and s(a) >= 1, as
    some published rows have. `relative_gain` is nan where a clear score lies a whole range or more below the scale,
    because its denominator means nothing there.

    Args:
        before: The scaled clear scores, (N,).
        after: The scaled attacked scores of the same images, (N,).

    Raises:
        DataError: If there is no image, the lengths differ or a score is not finite.
    """
    _require_finite(before, after)
    with np.errstate(invalid="ignore"):
        scores = {name: float(values.mean()) for name, values in terms(before, after).items()}
    sign = float(np.sign(after.mean() - before.mean()))
    scores["wasserstein"] = sign * float(stats.wasserstein_distance(before, after))
    scores["energy_distance"] = sign * float(stats.energy_distance(before, after))
    return scores


def terms(before: Values, after: Values) -> dict[str, Values]:
    """Returns, for every mean score, the value of each image.

    With c = s(clear) and a = s(attacked):

    - absolute_gain = a - c
    - relative_gain = (a - c) / (c + 1)
    - r_score = log10(max(1 - c, c) / (|a - c| + 1e-6))
    - r_score_printed = log10(max(1 - a, c) / (|a - c| + 1e-6)), the methodology page's wording (which has no 1e-6, but
      the numbers stored for the published rows do); a room below 0 counts as 0
    """
    gain = after - before
    moved = np.abs(gain) + EPS
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.maximum(np.maximum(1 - after, before), 0)
        return {
            "absolute_gain": gain,
            "relative_gain": np.where(before > -1, gain / (before + 1), np.nan),
            "r_score": np.log10(np.maximum(1 - before, before) / moved),
            "r_score_printed": np.log10(room / moved),
        }


def _require_finite(before: Values, after: Values) -> None:
    if before.shape != after.shape or before.ndim != 1 or before.size == 0:
        raise DataError(
            f"clear and attacked scores must be one each for at least one image; got {before.shape} and {after.shape}"
        )
    broken = int((~(np.isfinite(before) & np.isfinite(after))).sum())
    if broken:
        raise DataError(f"scores must be finite; got {broken} of {before.size} that are not: leave those images out")
