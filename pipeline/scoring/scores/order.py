"""What an attack does to the order of images by a metric: which pairs can be flipped, and what is left of the ranks.

Whoever compares codecs or photographs by a metric asks for an order, not for scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from metric_robustness.pipeline.cells.cell import FEWEST_IN_ORDER
from metric_robustness.pipeline.scoring.scores.ranks import spearman
from metric_robustness.pipeline.scoring.scores.robustness import Values

BLOCK = 256  # images that are compared with all others at a time


@dataclass(frozen=True)
class Order:
    """What attacks within one budget do to the order of a set of images."""

    pairs: int  # of images with unlike clear scores
    ties: int  # pairs of images with the same clear score, which have no order to flip
    one: float  # share of the pairs whose order flips when the worse image alone is attacked
    both: float  # share whose order flips when the better image is lowered, too; nan where no attack was to lower one
    srocc: float  # of the clear scores with those after the worse half was raised, and the better half lowered


@dataclass(frozen=True)
class Swap:
    """What an attack on the order itself leaves of it, within one budget, where every image of the set is attacked."""

    flipped: float  # share of the pairs with unlike clear scores whose order is the opposite afterwards
    srocc: float  # of the clear scores with the attacked ones; nan if these are all equal
    people_before: float = math.nan  # of people's opinions with the clear scores; nan if nobody rated the images
    people_after: float = math.nan  # of the same with the attacked scores

    @property
    def left(self) -> float:
        """Returns how much of the order is left, from -1 to 1; scores that are all equal have none."""
        return 0.0 if math.isnan(self.srocc) else self.srocc


@dataclass(frozen=True)
class Orders:
    """What becomes of the order of a set within each budget, in 255ths; empty for fewer than eight images."""

    bounds: Mapping[int, Order]  # by the most extreme score of each image that any attack found
    swaps: Mapping[int, Swap]  # by attacks on the order itself; empty where none was run


def swap_of(before: Values, after: Values, people: tuple[float, float] = (math.nan, math.nan)) -> Swap | None:
    """Returns what an attack left of the order of N images; None for fewer than eight, or if all scores were equal.

    Args:
        before: The clear scores, (N,), finite.
        after: The attacked scores, (N,), finite.
        people: Spearman's correlations of the clear and of the attacked scores with people's opinions.
    """
    count = len(before)
    if count < FEWEST_IN_ORDER or np.ptp(before) == 0:
        return None
    pairs = flipped = 0
    for start in range(0, count, BLOCK):
        part = slice(start, start + BLOCK)
        worse = before[part, None] < before
        pairs += int(worse.sum())
        flipped += int((worse & (after[part, None] > after)).sum())
    srocc = spearman(before, after) if np.ptp(after) else math.nan
    return Swap(flipped / pairs, srocc, *people)


def order_of(before: Values, highest: Values, lowest: Values | None = None) -> Order | None:
    """Returns what attacks do to the order of N images; None for fewer than eight, or if all clear scores are equal.

    Args:
        before: The clear scores, (N,), higher is better.
        highest: The highest score that attacks reach on each image, (N,), at least the clear one.
        lowest: The lowest score that they reach, (N,), at most the clear one; None where no attack was to lower one.
    """
    least = before if lowest is None else lowest
    known = np.isfinite(before) & np.isfinite(highest) & np.isfinite(least)
    before, highest, least = before[known], highest[known], least[known]
    count = len(before)
    if count < FEWEST_IN_ORDER or np.ptp(before) == 0:
        return None
    scores = np.sort(before)
    below = np.searchsorted(scores, before, side="right")  # so many have no higher clear score, (N,)
    pairs = int((count - below).sum())
    one = int(np.maximum(np.searchsorted(scores, highest) - below, 0).sum())
    both = 0
    for start in range(0, count if lowest is not None else 0, BLOCK):
        part = slice(start, start + BLOCK)
        both += int(((before[part, None] < before) & (highest[part, None] > least)).sum())
    swapped = np.where(before < np.median(before), highest, least)
    return Order(
        pairs,
        ties=count * (count - 1) // 2 - pairs,
        one=one / pairs,
        both=both / pairs if lowest is not None else math.nan,
        srocc=spearman(before, swapped) if np.ptp(swapped) else math.nan,
    )
