"""What an attack did to a set of images, and what the worst of several attacks did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd

from pipeline.scoring.scores.robustness import SCORES, Scale, Values, robustness
from pipeline.scoring.scores.statistics import Estimate, Interval, bootstrap, interval, intervals, mean_of


@dataclass(frozen=True)
class Outcome:
    """Every score with its interval."""

    n: int
    scores: dict[str, float]
    intervals: dict[str, Interval]
    gains: Values = field(repr=False, compare=False)  # the absolute gain in every resample, (resamples,)


def moves(rows: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Returns `clip, before, after` by image: each image's clear and attacked score on the scale."""
    images, clips = (rows[column].to_numpy(dtype=object) for column in ("image", "clip"))
    return moved_images(images, clips, scale(rows["clear"].to_numpy()), scale(rows["attacked"].to_numpy()))


def moved_images(images: Iterable[str], clips: Iterable[str], before: Values, after: Values) -> pd.DataFrame:
    """Returns `clip, before, after` by image; cells of the same images share their names in memory."""
    index, clip = _names(tuple(images), tuple(clips))
    return pd.DataFrame({"clip": clip, "before": before, "after": after}, index=index)


@lru_cache(maxsize=64)
def _names(images: tuple[str, ...], clips: tuple[str, ...]) -> tuple[pd.Index[str], pd.Series[str]]:
    index = pd.Index(images, name="image", dtype=object)
    return index, pd.Series(clips, index=index, dtype=object)


def outcome(moved: pd.DataFrame) -> Outcome:
    """Returns the scores of one attack under one setting."""
    return averaged([moved])


def averaged(settings: Sequence[pd.DataFrame]) -> Outcome:
    """Returns the mean of the scores under several settings: amplitudes and training sets of a universal pattern.

    Each setting is scored for itself, as the methodology says, and resampled alike, so that the interval is the mean's.
    """
    values, replicates = [], []
    for moved in settings:
        before, after = moved["before"].to_numpy(), moved["after"].to_numpy()
        values.append(robustness(before, after))
        replicates.append(bootstrap(before, after, moved["clip"]))
    with np.errstate(invalid="ignore"):  # -inf of one setting and inf of another: no mean
        scores = {name: float(np.mean([value[name] for value in values])) for name in SCORES}
        spread = {name: np.mean([replicate[name] for replicate in replicates], axis=0) for name in SCORES}
    return Outcome(max(len(moved) for moved in settings), scores, intervals(spread), spread["absolute_gain"])


def beyond(moved: pd.DataFrame, other: pd.DataFrame, gains: Values, others: Values) -> tuple[Estimate, Values] | None:
    """Returns by how much more one attack raised the score than another, on the images of both; None if there is none.

    It is the difference of the absolute gains, image by image, with its replicates: what the images themselves vary is
    not in its interval.

    Args:
        moved: Of the one attack, one move per image.
        other: Of the other.
        gains: The replicates of the one's absolute gain.
        others: Those of the other's.
    """
    if moved.index.equals(other.index):
        more = gains - others
        mean = (_gains(moved) - _gains(other)).mean()
        return Estimate(float(mean), *interval(more)), more
    common = (gain(moved) - gain(other)).dropna()
    return mean_of(common.to_numpy().astype(np.float64), moved["clip"].loc[common.index]) if len(common) else None


def gain(moved: pd.DataFrame) -> pd.Series[float]:
    """Returns the absolute gain of every image."""
    return moved["after"] - moved["before"]


def _gains(moved: pd.DataFrame) -> Values:
    gains: Values = moved["after"].to_numpy() - moved["before"].to_numpy()
    return gains


def over_settings(settings: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Returns one move per image: its mean over the settings."""
    if len(settings) == 1:
        return settings[0]
    return pd.concat(settings).groupby(level="image").agg({"clip": "first", "before": "mean", "after": "mean"})


def worst_case(attacks: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Returns for every image the move of the attack that raised it most, with that attack's name as column `attack`.

    Raised, not moved: an attack that lowered the score has failed, and a further attack can only make the worst case
    worse. Between equals, the first by name.

    Args:
        attacks: By name, one move per image, of attacks that are to raise the score.
    """
    names = sorted(attacks)
    aligned = [attacks[name] for name in names]
    images = aligned[0].index
    if not all(moved.index.equals(images) for moved in aligned):
        for moved in aligned[1:]:
            images = images.union(moved.index)
        aligned = [moved.reindex(images) for moved in aligned]
    columns = {
        column: np.stack([moved[column].to_numpy() for moved in aligned]) for column in ("clip", "before", "after")
    }
    gains = columns["after"] - columns["before"]
    winner = np.where(np.isnan(gains), -np.inf, gains).argmax(axis=0)
    chosen = {column: values[winner, np.arange(len(images))] for column, values in columns.items()}
    chosen["attack"] = np.array(names, dtype=object)[winner]
    return pd.DataFrame({name: pd.Series(values, images, values.dtype) for name, values in chosen.items()})
