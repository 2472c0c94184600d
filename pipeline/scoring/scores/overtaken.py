"""How often an attacked worse image overtakes a clear better one, where it is known which image is better.

Of a ladder the rung says it, for encodings of the same photograph; of images that people rated, their opinions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metric_robustness.pipeline.scoring.scores.robustness import Values
from metric_robustness.pipeline.scoring.scores.statistics import RESAMPLES, UNKNOWN, Draws, Estimate, draws, interval

ANY = "any"  # pairs that are any number of rungs apart
FAR = 4  # rungs apart, from which on pairs are counted together
BLOCK = 256  # rated images that are compared with all others at a time
WORK = 2_000_000_000  # pairs times resamples; more images than this allows have fewer resamples,
LEAST = 200  # but not fewer than these

Pairs = NDArray[np.bool_]  # (worse, better): which pairs of images are meant


@dataclass(frozen=True)
class Truth:
    """Which images of a set are better, whatever a metric says of them."""

    places: Values  # (N,), higher is better; nan where nothing is known
    rungs: bool  # whether they are rungs, which order encodings of the same photograph only


@dataclass(frozen=True)
class Overtaken:
    """What became of some pairs of a worse and a better image."""

    pairs: int
    wrong: int  # pairs in which the worse image has the higher clear score already
    ties: int  # pairs with the same clear score
    share: Estimate  # of all other pairs, those in which the attacked worse image passes the clear better one


def truth_of(rows: pd.DataFrame) -> Truth | None:
    """Returns which images of rows are better; None if neither rungs nor opinions are known."""
    for column in ("rung", "mos"):
        places = rows[column].to_numpy(dtype=np.float64)
        if np.isfinite(places).any():
            return Truth(places, column == "rung")
    return None


def overtaken(before: Values, highest: Values, truth: Truth, clips: Sequence[str]) -> dict[str, Overtaken]:
    """Returns what became of the pairs of N images: of `ANY`, and of rungs also by how many they are apart.

    Images of equal place have no order and are no pair. Photographs are resampled with all their encodings, rated
    images one by one; the interval is unknown for fewer than two.

    Args:
        before: The clear scores, (N,), higher is better.
        highest: The highest score that attacks reach on each image, (N,), at least the clear one.
        truth: Which image is better.
        clips: The photograph of each encoding, N names; of a rated image the image itself.
    """
    known = np.isfinite(before) & np.isfinite(highest) & np.isfinite(truth.places)
    if not known.any():
        return {ANY: Overtaken(0, 0, 0, Estimate(np.nan, *UNKNOWN))}
    names = tuple(np.array(clips, dtype=object)[known])
    own = (before[known], highest[known], truth.places[known])
    return _of_rungs(*own, draws(names, RESAMPLES, 0)) if truth.rungs else {ANY: _of_opinions(*own, names)}


def _of_rungs(before: Values, highest: Values, places: Values, drawn: Draws) -> dict[str, Overtaken]:
    """Returns what became of the pairs within each photograph."""
    counted: dict[str, Values] = {}  # by distance: pairs, wrong ones, ties and overtaken ones, (4, photographs)
    for photograph in range(drawn.clips):
        own = np.flatnonzero(drawn.clip == photograph)
        for distance, asked in _by_distance(places[own]).items():
            counts = counted.setdefault(distance, np.zeros((4, drawn.clips)))
            counts[:, photograph] = [part.sum() for part in _became(asked, before[own], highest[own], before[own])]
    found = {}
    for distance, counts in counted.items():
        drawn_counts = counts @ drawn.counts.astype(np.float64)
        if distance == ANY or counts[0].any():
            found[distance] = _overtaken(counts.sum(axis=1), drawn_counts, drawn)
    return found


def _by_distance(places: Values) -> Mapping[str, Pairs]:
    """Returns the pairs of a photograph's encodings by how many rungs the better is above the worse."""
    rungs = np.unique(places, return_inverse=True)[1]
    apart = rungs - rungs[:, None]
    near = {str(distance): apart == distance for distance in range(1, FAR)}
    return {ANY: apart > 0, **near, f"{FAR}+": apart >= FAR}


def _of_opinions(before: Values, highest: Values, places: Values, names: tuple[str, ...]) -> Overtaken:
    """Returns what became of all pairs of rated images."""
    count = len(names)
    drawn = draws(names, max(min(RESAMPLES, WORK // count**2), LEAST), 0)
    weights = drawn.counts[drawn.clip].astype(np.float32)  # sums of these are exact below 2 ** 24
    counts, drawn_counts = np.zeros(4), np.zeros((4, weights.shape[1]))
    for start in range(0, count, BLOCK):
        part = slice(start, start + BLOCK)
        asked = places[part, None] < places
        for kind, pairs in enumerate(_became(asked, before[part], highest[part], before)):
            counts[kind] += pairs.sum()
            drawn_counts[kind] += np.einsum("ir,ir->r", weights[part], pairs.astype(np.float32) @ weights, dtype=float)
    return _overtaken(counts, drawn_counts, drawn)


def _became(asked: Pairs, worse: Values, attacked: Values, better: Values) -> tuple[Pairs, Pairs, Pairs, Pairs]:
    """Returns the pairs that are asked for, those in wrong order and those in none, and those that were overtaken.

    Args:
        asked: (N, M).
        worse: The clear scores of the worse images, (N,).
        attacked: Their highest scores, (N,).
        better: The clear scores of the better images, (M,).
    """
    wrong, ties = asked & (worse[:, None] > better), asked & (worse[:, None] == better)
    return asked, wrong, ties, asked & ~wrong & ~ties & (attacked[:, None] > better)


def _overtaken(counts: Values, drawn_counts: Values, drawn: Draws) -> Overtaken:
    """Returns the share of the pairs in right order that were overtaken, with its interval.

    Args:
        counts: Pairs, wrong ones, ties and overtaken ones, (4,).
        drawn_counts: The same in every resample, (4, resamples).
        drawn: The resamples.
    """
    (pairs, wrong, ties, lost), (of_all, of_wrong, of_ties, of_lost) = counts, drawn_counts
    with np.errstate(invalid="ignore"):  # 0 / 0 where there is no such pair: nan
        share, replicates = lost / (pairs - wrong - ties), of_lost / (of_all - of_wrong - of_ties)
    ends = interval(replicates) if drawn.clips > 1 else UNKNOWN
    return Overtaken(int(pairs), int(wrong), int(ties), Estimate(float(share), *ends))
