"""How sure a score is: bootstrap intervals over clips, and the t-interval of the original benchmark."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator
from scipy import special

from metric_robustness.pipeline.scoring.scores.arithmetic import IN_NUMPY, Arithmetic, compiled
from metric_robustness.pipeline.scoring.scores.robustness import SCORES, PooledOrder, Values, pooled_order, terms
from metric_robustness.pipeline.scoring.scores.sums import Steps

LEVEL = 0.95
RESAMPLES = 2_000
LEAST_EXPONENT = -1074  # of a power of 2: all doubles are multiples of that one
STEPS = 250_000_000  # of all resamples together: numpy goes through them in a quarter of a second

Interval = tuple[float, float]
UNKNOWN: Interval = (float("nan"), float("nan"))


def _packed(values: Values) -> str:
    return base64.b64encode(values.astype("<f8").tobytes()).decode()


def _unpacked(text: str) -> Values:
    return np.frombuffer(base64.b64decode(text), "<f8")


# A score in every resample, (resamples,); text where it is written as JSON, as fast to read as it is exact.
Replicates: TypeAlias = Annotated[Values, PlainValidator(_unpacked), PlainSerializer(_packed, return_type=str)]


class Estimate(NamedTuple):
    """A number with its 95 % interval, whose ends are nan if the interval is unknown."""

    value: float
    low: float
    high: float


def t_interval(values: Values, level: float = LEVEL) -> Interval:
    """Returns mean ± t(level, n - 1) · s / sqrt(n) of values, (N,); unknown, (nan, nan), for fewer than two.

    The original benchmark prints this interval, which holds for independent values. Frames of one video are not
    independent, so that on video it is several times too narrow: use `intervals`.
    """
    if values.size < 2:
        return UNKNOWN
    error = values.std(ddof=1) / math.sqrt(values.size)
    low, high = special.stdtrit(values.size - 1, [(1 - level) / 2, (1 + level) / 2]) * error + values.mean()
    return float(low), float(high)


def interval(replicates: Values, level: float = LEVEL) -> Interval:
    """Returns the ends of the middle `level` of a score's replicates, (resamples,).

    A replicate is nan where no clip was drawn, and is left out. The interval is unknown, (nan, nan), if a replicate is
    infinite or all are nan.
    """
    known = replicates[~np.isnan(replicates)]
    if known.size == 0 or np.isinf(known).any():
        return UNKNOWN
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def intervals(replicates: dict[str, Values], level: float = LEVEL) -> dict[str, Interval]:
    """Returns the `interval` of every score."""
    found = {name: interval(values, level) for name, values in replicates.items() if not np.isfinite(values).all()}
    if whole := [name for name in replicates if name not in found]:  # faster together
        ends = np.quantile([replicates[name] for name in whole], [(1 - level) / 2, (1 + level) / 2], axis=1)
        found |= {name: (float(low), float(high)) for name, low, high in zip(whole, *ends, strict=True)}
    return {name: found[name] for name in replicates}


def bootstrap(
    before: Values,
    after: Values,
    clips: Iterable[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
    *,
    order: PooledOrder | None = None,
) -> dict[str, Values]:
    """Returns every score on resampled clips, {score: (resamples,)}.

    All frames of a clip are drawn together (Efron & Tibshirani 1993, chapter 8), each clip as often as a Poisson number
    of mean 1 says (Hanley & MacGibbon 2006, https://doi.org/10.1016/j.cmpb.2006.04.006; Chamandy et al. 2012). This
    number depends on the clip's name, the resample and the seed alone. Two cells therefore draw the clips that both
    have equally often, even if one of them lacks others, and may be compared replicate by replicate.

    Wasserstein and energy distance are computed from all steps of the distribution functions. Only their sums are in
    single precision, which leaves a relative error below 1e-5.

    Args:
        before: The scaled clear scores, (N,).
        after: The scaled attacked scores, (N,).
        clips: The clip of each image, N names; a photograph is a clip of its own.
        resamples: How many times to draw.
        seed: The seed of the draws.
        order: The `pooled_order` of the scores, if it is known already.

    Returns:
        The replicates; nan for all scores if there are fewer than two clips, since one clip says nothing about others,
        and nan where a resample drew no clip at all.
    """
    drawn = draws(tuple(clips), resamples, seed)
    if drawn.clips < 2:
        return {name: np.full(resamples, np.nan) for name in SCORES}
    means = drawn.means(np.stack(list(terms(before, after).values())))
    distances = drawn.distances(before, after, pooled_order(before, after) if order is None else order)
    with np.errstate(invalid="ignore"):
        signed = np.sign(means[0]) * distances
    return dict(zip(SCORES, (*means, *signed), strict=True))


def mean_of(values: Values, clips: Iterable[str], resamples: int = RESAMPLES, seed: int = 0) -> tuple[Estimate, Values]:
    """Returns the mean of one value per image, (N,), with its interval, and its replicates, (resamples,).

    The other arguments are those of `bootstrap`; the interval and the replicates are nan for fewer than two clips.
    """
    drawn = draws(tuple(clips), resamples, seed)
    replicates = drawn.means(values[None])[0] if drawn.clips > 1 else np.full(resamples, np.nan)
    return Estimate(float(values.mean()), *interval(replicates)), replicates


class Draws:
    """How often each image is drawn in every resample.

    Args:
        clips: The clip of each image, N names.
        resamples: How many times to draw.
        seed: The seed of the draws.
    """

    def __init__(self, clips: tuple[str, ...], resamples: int, seed: int) -> None:
        names, self.clip = np.unique(np.array(clips, dtype=object), return_inverse=True)
        self.clips = len(names)
        self.counts = np.stack([_poisson(name, resamples, seed) for name in names])  # (clips, resamples)
        images = np.bincount(self.clip, minlength=self.clips)  # in each clip, (clips,)
        self.images = np.einsum("c,cr->r", images, self.counts, dtype=np.int64)  # drawn, (resamples,)
        self.most = int(self.images.max())  # images of the largest resample
        self.steps = 0  # that `distances` went through

    def means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the means of every resample, (K, resamples), of K values per image, (K, N).

        A line of values that are not all finite gives nan in every resample; so does a resample without an image.
        """
        finite = np.asarray(np.isfinite(values).all(axis=1))
        grid = _on_grid(np.where(finite[:, None], values, 0), self.most)
        sums = np.stack([np.bincount(self.clip, row, self.clips).astype(np.float64) for row in grid])
        total = self._arithmetic().sums(self.counts, sums)
        with np.errstate(invalid="ignore"):  # 0 / 0 where no image was drawn: nan
            total /= self.images
        total[~finite] = np.nan
        return total

    def distances(self, before: Values, after: Values, order: PooledOrder) -> NDArray[np.float64]:
        """Returns Wasserstein and energy distance of every resample, (2, resamples), without a sign.

        Args:
            before: The scaled clear scores, (N,).
            after: The scaled attacked scores, (N,).
            order: Their `pooled_order`.
        """
        pooled = np.concatenate([before, after])[order]
        widths = np.diff(pooled, append=pooled[-1])
        # To divide by a power of 2 changes no digit; single precision then holds scores of every size.
        unit = math.ldexp(1.0, max(math.frexp(pooled[-1] - pooled[0])[1], LEAST_EXPONENT))
        steps = Steps(
            np.tile(self.clip, 2)[order],
            np.where(order < before.size, np.float32(1), np.float32(-1)),
            (widths / unit).astype(np.float32),
        )
        total = self._arithmetic().areas(self.counts, steps, self.most) * unit
        self.steps += order.size * self.images.size
        with np.errstate(invalid="ignore"):
            return np.stack([total[0] / self.images, np.sqrt(2 * total[1]) / self.images])

    def _arithmetic(self) -> Arithmetic:
        """Returns numpy's sums, which need no loading, until there is so much work that the compiled ones save time."""
        return compiled() if self.steps > STEPS else IN_NUMPY


def _on_grid(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Returns values, (K, N), rounded to so coarse a grid that sums are exact in any order, and on every machine.

    Args:
        values: Finite; each line has a grid of its own, finer than 3e-10 of its largest value.
        most: How many values a sum has at most; below a million.
    """
    top = np.abs(values).max(axis=1, keepdims=True)
    finest = np.ceil(np.log2(np.where(top > 0, top, 1))) + math.ceil(math.log2(max(most, 1))) - 53
    grid = np.exp2(np.maximum(finest, LEAST_EXPONENT))
    rounded: NDArray[np.float64] = np.rint(values / grid) * grid
    return rounded


@lru_cache(maxsize=4)
def draws(clips: tuple[str, ...], resamples: int, seed: int) -> Draws:
    """Returns the draws of images of these clips, cached because most cells of a data set have the same images."""
    return Draws(clips, resamples, seed)


@lru_cache(maxsize=50_000)
def _poisson(clip: str, resamples: int, seed: int) -> NDArray[np.uint8]:
    """Returns how often a clip is drawn in each resample, (resamples,)."""
    name = int.from_bytes(hashlib.sha256(clip.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, name]).poisson(1, resamples).astype(np.uint8)
