"""How sure a score is: bootstrap intervals over clips, and the t-interval of the original benchmark."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.scoring.robustness import SCORES, Values, terms

LEVEL = 0.95
RESAMPLES = 2_000
CHUNK = 100  # resamples at a time: bounds the memory to a few arrays of CHUNK x images

Interval = tuple[float, float]
UNKNOWN: Interval = (float("nan"), float("nan"))


class Estimate(NamedTuple):
    """A number with its 95 % interval, whose ends are nan where it is unknown."""

    value: float
    low: float
    high: float


def t_interval(values: Values, level: float = LEVEL) -> Interval:
    """Returns mean ± t(level, n - 1) · s / sqrt(n), which takes the values as independent.

    It is what the original benchmark prints. Frames of one video are not independent, so that on video it is several
    times too narrow: use `intervals`. Unknown, (nan, nan), for fewer than two values.
    """
    if values.size < 2:
        return UNKNOWN
    low, high = stats.t.interval(level, values.size - 1, loc=values.mean(), scale=stats.sem(values))
    return float(low), float(high)


def intervals(replicates: dict[str, Values], level: float = LEVEL) -> dict[str, Interval]:
    """Returns the middle `level` of every score's replicates; unknown, (nan, nan), if one of them is not finite."""
    tails = [(1 - level) / 2, (1 + level) / 2]
    result = {}
    for name, values in replicates.items():
        low, high = np.quantile(values, tails) if np.isfinite(values).all() else UNKNOWN
        result[name] = (float(low), float(high))
    return result


def bootstrap(
    before: Values, after: Values, clips: NDArray[np.str_], resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Values]:
    """Returns every score on resampled clips, {score: (resamples,)}.

    Clips are drawn with replacement, and all frames of a clip go together (Efron & Tibshirani 1993, chapter 8). The
    draws depend only on the seed and the number of clips: metrics scored on the same clips are resampled alike, and so
    may be compared replicate by replicate.

    Args:
        before: The scaled clear scores, (N,).
        after: The scaled attacked scores, (N,).
        clips: What each image belongs to, (N,); its own name for a photograph.
        resamples: How many times to draw.
        seed: Of the draws.

    Returns:
        The replicates; nan for all scores if there are fewer than two clips, since one clip says nothing of others.
    """
    names, clip = np.unique(clips, return_inverse=True)
    if names.size < 2:
        return {name: np.full(resamples, np.nan) for name in SCORES}
    sums = np.column_stack([np.bincount(clip, values) for values in terms(before, after).values()])
    sizes = np.bincount(clip).astype(np.float64)
    pooled = np.concatenate([before, after])
    order = np.argsort(pooled, kind="stable")
    steps = np.diff(pooled[order])
    clip_of = np.tile(clip, 2)[order]
    side = np.repeat([1.0, -1.0], before.size)[order]

    parts: list[NDArray[np.float64]] = []
    for start in range(0, resamples, CHUNK):
        weights = _draws(names.size, start, seed)[: resamples - start].astype(np.float64)
        total = weights @ sizes
        with np.errstate(invalid="ignore"):  # a weight of 0 times an infinite term: the interval is then unknown
            means = (weights @ sums) / total[:, None]
        apart = np.cumsum(weights[:, clip_of] * side, axis=1)[:, :-1] / total[:, None]  # F_c - F_a between the values
        sign = np.sign(means[:, 0])
        wasserstein = sign * (np.abs(apart) @ steps)
        energy = sign * np.sqrt(2 * (np.square(apart) @ steps))
        parts.append(np.column_stack([means, wasserstein, energy]))
    return dict(zip(SCORES, np.concatenate(parts).T, strict=True))


def mean_of(values: Values, clips: NDArray[np.str_], resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Returns the mean with its interval over resampled clips, from the draws of `bootstrap`."""
    names, clip = np.unique(clips, return_inverse=True)
    mean = float(values.mean())
    if names.size < 2:
        return Estimate(mean, *UNKNOWN)
    sums, sizes = np.bincount(clip, values), np.bincount(clip).astype(np.float64)
    weights = np.concatenate([_draws(names.size, start, seed) for start in range(0, resamples, CHUNK)])[:resamples]
    replicates = (weights @ sums) / (weights @ sizes)
    return Estimate(mean, *intervals({"mean": replicates})["mean"])


@lru_cache(maxsize=60)
def _draws(clips: int, start: int, seed: int) -> NDArray[np.uint16]:
    """Returns how often each clip is drawn, (CHUNK, clips); kept, because every cell on the same clips draws alike."""
    draws = np.random.default_rng([seed, start]).multinomial(clips, np.full(clips, 1 / clips), CHUNK)
    return draws.astype(np.uint16)
