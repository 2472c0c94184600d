"""What an attack did to a set of images, and what the worst of several attacks did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.scoring.robustness import SCORES, Scale, Values, robustness
from pipeline.scoring.statistics import Estimate, Interval, bootstrap, intervals, mean_of


@dataclass(frozen=True)
class Outcome:
    """Every score with its interval."""

    n: int
    scores: dict[str, float]
    intervals: dict[str, Interval]
    gains: Values = field(repr=False, compare=False)  # the absolute gain in every resample, (resamples,)


def moves(rows: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Returns `image, clip, before, after`: each image's clear and attacked score on the scale."""
    return pd.DataFrame(
        {
            "image": rows["image"],
            "clip": rows["clip"],
            "before": scale(rows["clear"].to_numpy()),
            "after": scale(rows["attacked"].to_numpy()),
        }
    )


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
        replicates.append(bootstrap(before, after, moved["clip"].to_numpy(dtype=str)))
    with np.errstate(invalid="ignore"):  # -inf of one setting and inf of another: no mean
        scores = {name: float(np.mean([value[name] for value in values])) for name in SCORES}
        spread = {name: np.mean([replicate[name] for replicate in replicates], axis=0) for name in SCORES}
    return Outcome(max(len(moved) for moved in settings), scores, intervals(spread), spread["absolute_gain"])


def beyond(moved: pd.DataFrame, other: pd.DataFrame) -> Estimate | None:
    """Returns by how much more one attack raised the score than another, on the images of both; None if there is none.

    The difference of the absolute gains, image by image: what the images themselves vary is not in its interval.
    """
    both = moved.merge(other, on=["image", "clip"], suffixes=("", "_other"))
    if both.empty:
        return None
    more = (both["after"] - both["before"]) - (both["after_other"] - both["before_other"])
    return mean_of(more.to_numpy(), both["clip"].to_numpy(dtype=str))


def over_settings(settings: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Returns one move per image: its mean over the settings."""
    if len(settings) == 1:
        return settings[0]
    return pd.concat(settings).groupby(["image", "clip"], as_index=False)[["before", "after"]].mean()


def worst_case(attacks: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Returns for every image the move of the attack that raised it most, with that attack's name as column `attack`.

    Raised, not moved: an attack that lowered the score has failed, and a further attack can only make the worst case
    worse. Between equals, the first by name.

    Args:
        attacks: By name, one move per image, of attacks that are to raise the score.
    """
    every = pd.concat([moved.assign(attack=name) for name, moved in sorted(attacks.items())], ignore_index=True)
    every["gain"] = every["after"] - every["before"]
    ordered = every.sort_values(["image", "gain", "attack"], ascending=[True, False, True], kind="stable")
    return ordered.drop_duplicates("image").drop(columns="gain").reset_index(drop=True)
