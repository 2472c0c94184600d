"""The effect of an attack on a set of images: every score with its interval; and that of the worst of several attacks.

A table of score pairs has one row per image, with the columns `clip`, `before` and `after`, the clear and the attacked
score on the scale, and `linf`, the largest change of a channel value in [0, 1], NaN where the rows do not have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pandas as pd

from metric_robustness.pipeline.scoring.scores.robustness import (
    SCORES,
    PooledOrder,
    ScoreScale,
    Values,
    pooled_order,
    robustness,
)
from metric_robustness.pipeline.scoring.scores.statistics import (
    Estimate,
    Interval,
    Replicates,
    bootstrap,
    interval,
    intervals,
    mean_of,
)

LEVEL_ERROR = 1e-6  # what the 6 digits of a CSV may add to a change of some 255ths


@dataclass(frozen=True)
class Effect:
    """Every score with its interval."""

    n: int  # images
    scores: dict[str, float]
    intervals: dict[str, Interval]


@dataclass(frozen=True)
class Resampled(Effect):
    """An effect that can be compared with others resample by resample."""

    gains: Replicates = field(repr=False, compare=False)  # the absolute gain in every resample, (resamples,)

    @property
    def summary(self) -> Effect:
        """Returns the effect without its replicates, which take a hundred times its space."""
        return Effect(self.n, self.scores, self.intervals)


class Names(NamedTuple):
    """The names that stand in a table of score pairs."""

    images: pd.Index[str]
    clips: pd.Series[str]


def score_pairs(rows: pd.DataFrame, scale: ScoreScale) -> pd.DataFrame:
    """Returns the table of score pairs of one attack's rows."""
    images, clips = (rows[column].tolist() for column in ("image", "clip"))
    before, after = scale(rows["clear"].to_numpy()), scale(rows["attacked"].to_numpy())
    return pairs_by_image(images, clips, before, after, rows["linf"].to_numpy(dtype=np.float64))


def pairs_by_image(
    images: Iterable[str], clips: Iterable[str], before: Values, after: Values, linf: Values | None = None
) -> pd.DataFrame:
    """Returns a table of score pairs; tables of the same images share one index in memory.

    Args:
        images: N image names.
        clips: The clip of each image.
        before: The clear scores on the scale, (N,).
        after: The attacked scores on the scale, (N,).
        linf: The largest changes, (N,); None where they are not known.
    """
    return pairs_of(names_of(tuple(images), tuple(clips)), before, after, linf)


def pairs_of(names: Names, before: Values, after: Values, linf: Values | None = None) -> pd.DataFrame:
    """Returns a table of score pairs; arguments as in `pairs_by_image`, names from `names_of`."""
    change = np.full(len(before), np.nan) if linf is None else linf
    return pd.DataFrame({"clip": names.clips, "before": before, "after": after, "linf": change}, index=names.images)


@lru_cache(maxsize=64)
def names_of(images: tuple[str, ...], clips: tuple[str, ...]) -> Names:
    """Returns the names of images and of their clips, as all tables of the same images share them."""
    index = pd.Index(images, name="image", dtype=object)
    return Names(index, pd.Series(clips, index=index, dtype=object))


def effect_of(pairs: pd.DataFrame, order: PooledOrder | None = None) -> Resampled:
    """Returns the effect of one attack under one setting, from its score pairs.

    Args:
        pairs: The score pairs.
        order: The `pooled_order` of their scores, if it is known already.
    """
    values, replicates = _scores(pairs, order)
    return Resampled(len(pairs), values, intervals(replicates), replicates["absolute_gain"])


def _scores(pairs: pd.DataFrame, order: PooledOrder | None = None) -> tuple[dict[str, float], dict[str, Values]]:
    """Returns every score of score pairs, and its replicates."""
    before, after = pairs["before"].to_numpy(), pairs["after"].to_numpy()
    pooled = pooled_order(before, after) if order is None else order
    replicates = bootstrap(before, after, pairs["clip"].tolist(), order=pooled)
    return robustness(before, after, pooled), replicates


def averaged(settings: Sequence[pd.DataFrame]) -> Resampled:
    """Returns the mean effect over several settings: amplitudes and training sets of a universal pattern.

    Each setting is scored on its own, as the methodology says. All settings are resampled alike, so that the interval
    is that of the mean.

    Args:
        settings: The score pairs under each setting.
    """
    values, replicates = zip(*map(_scores, settings), strict=True)
    with np.errstate(invalid="ignore"):  # -inf of one setting and inf of another: no mean
        scores = {name: float(np.mean([value[name] for value in values])) for name in SCORES}
        spread = {name: np.mean([replicate[name] for replicate in replicates], axis=0) for name in SCORES}
    return Resampled(max(len(pairs) for pairs in settings), scores, intervals(spread), spread["absolute_gain"])


def beyond(pairs: pd.DataFrame, other: pd.DataFrame, gains: Values, others: Values) -> tuple[Estimate, Values] | None:
    """Returns by how much more one attack raised the score than another, with the replicates of that difference.

    The gains are compared image by image, so that the spread between images does not widen the interval.

    Args:
        pairs: The score pairs of the one attack.
        other: The score pairs of the other.
        gains: The replicates of the one's absolute gain, (resamples,).
        others: The replicates of the other's, (resamples,).

    Returns:
        The difference, estimated on the images of both attacks, and its replicates; None if no image has both.
    """
    if pairs.index.equals(other.index):
        more = gains - others
        mean = (_gains(pairs) - _gains(other)).mean()
        return Estimate(float(mean), *interval(more)), more
    common = (_gain_by_image(pairs) - _gain_by_image(other)).dropna()
    return mean_of(common.to_numpy().astype(np.float64), pairs["clip"].loc[common.index]) if len(common) else None


def _gain_by_image(pairs: pd.DataFrame) -> pd.Series[float]:
    return pairs["after"] - pairs["before"]


def _gains(pairs: pd.DataFrame) -> Values:
    gains: Values = pairs["after"].to_numpy() - pairs["before"].to_numpy()
    return gains


def over_settings(settings: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Returns one score pair per image: its mean over the settings."""
    if len(settings) == 1:
        return settings[0]
    means = {"clip": "first", "before": "mean", "after": "mean", "linf": "max"}
    return pd.concat(settings).groupby(level="image").agg(means)


def worst_case(attacks: Sequence[tuple[str, pd.DataFrame]], budget: float = 1.0, *, up: bool = True) -> pd.DataFrame:
    """Returns for every image the score pair under the attack that moved it most, and that attack as column `attack`.

    Whoever attacks may also leave an image alone, so that no gain has the other sign; the column then holds "". A
    further attack can only make the worst case worse. Among equal gains the first attack by name counts.

    Args:
        attacks: Names with score pairs; a name may occur several times, as a universal pattern of several amplitudes.
        budget: A larger change than this, as measured on the image, does not count. An unknown one does.
        up: Whether what raises the score is looked for, or what lowers it.
    """
    ordered = sorted(attacks, key=itemgetter(0))
    tables = [pairs for _, pairs in ordered]
    images = tables[0].index
    if not all(pairs.index.equals(images) for pairs in tables):
        for pairs in tables[1:]:
            images = images.union(pairs.index)
        tables = [pairs.reindex(images) for pairs in tables]
    before, after, change = (
        np.stack([pairs[column].to_numpy() for pairs in tables]) for column in ("before", "after", "linf")
    )
    after = np.where(change > budget + LEVEL_ERROR, before, after)
    moves = (after - before) * (1 if up else -1)
    winner = np.where(np.isnan(moves), -np.inf, moves).argmax(axis=0)
    best = (winner, np.arange(len(images)))
    clips = [pairs["clip"].to_numpy() for pairs in tables]
    moved = moves[best] > 0
    chosen = {
        "clip": clips[0] if all(np.array_equal(clips[0], each) for each in clips[1:]) else np.stack(clips)[best],
        "before": before[best],
        "after": np.where(moved, after[best], before[best]),
        "linf": change[best],
        "attack": np.where(moved, np.array([name for name, _ in ordered], dtype=object)[winner], ""),
    }
    return pd.DataFrame({name: pd.Series(values, images, values.dtype) for name, values in chosen.items()})
