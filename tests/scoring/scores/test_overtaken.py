"""Pairs of a better and a worse image under attack, compared with a count of all pairs one by one."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from metric_robustness.pipeline.scoring.scores.overtaken import ANY, BLOCK, Truth, overtaken
from metric_robustness.pipeline.scoring.scores.statistics import RESAMPLES, draws


def one_by_one(before, highest, places, clips, *, rungs: bool) -> dict[str, tuple[int, ...]]:
    """Returns by distance how many pairs there are, how many in wrong order, in none, and overtaken."""
    found: dict[str, list[int]] = {}
    for i, j in permutations(range(len(before)), 2):
        if places[i] < places[j] and (clips[i] == clips[j] or not rungs):
            between = {place for place, clip in zip(places, clips, strict=True) if clip == clips[i]}
            apart = sum(places[i] < place <= places[j] for place in between)
            for name in {ANY, str(apart) if apart < 4 else "4+"} if rungs else {ANY}:
                counts = found.setdefault(name, [0, 0, 0, 0])
                counts[0] += 1
                counts[1] += before[i] > before[j]
                counts[2] += before[i] == before[j]
                counts[3] += before[i] < before[j] < highest[i]
    return {name: tuple(counts) for name, counts in found.items()}


def scores(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns clear and highest scores; some clear ones are equal, some images cannot be moved."""
    generator = np.random.default_rng(count)
    before = generator.integers(0, count, count) / count
    return before, before + np.maximum(generator.normal(0.05, 0.2, count), 0)


@pytest.mark.parametrize(("count", "rungs"), [(12, True), (12, False), (60, True), (BLOCK + 5, False)])
def test_pairs_are_those_of_a_count_one_by_one(count, rungs):
    before, highest = scores(count)
    places = np.tile([3.0, 1.0, 9.0, 7.0, 7.0, 8.0, 10.0, 2.0], count)[:count]
    clips = [str(i // 7) if rungs else str(i) for i in range(count)]
    expected = one_by_one(before, highest, places, clips, rungs=rungs)
    found = overtaken(before, highest, Truth(places, rungs), clips)
    told = {name: (each.pairs, each.wrong, each.ties) for name, each in found.items()}
    assert told == {name: counts[:3] for name, counts in expected.items()}
    for name, (pairs, wrong, ties, lost) in expected.items():
        share = found[name].share
        assert share.value == pytest.approx(lost / (pairs - wrong - ties))
        assert share.low <= share.value <= share.high


@pytest.mark.parametrize("rungs", [True, False])
def test_the_interval_is_that_of_resamples_written_out(rungs):
    before, highest = scores(10)
    places = np.tile(np.arange(5.0), 2) + (0 if rungs else 0.1 * np.arange(10))
    clips = [str(i // 5) if rungs else str(i) for i in range(10)]
    drawn = draws(tuple(clips), RESAMPLES, 0)
    shares = []
    for counts in drawn.counts[drawn.clip].T[:400]:
        images = np.repeat(np.arange(10), counts)
        copies = [str(copy) for times in counts for copy in range(times)]  # a photograph that is drawn twice is two
        clear, high, where = before[images], highest[images], places[images]
        of = [f"{clips[image]}/{copy}" if rungs else "" for image, copy in zip(images, copies, strict=True)]
        pairs = [(i, j) for i, j in permutations(range(len(images)), 2) if of[i] == of[j] and where[i] < where[j]]
        right = [(i, j) for i, j in pairs if clear[i] < clear[j]]
        shares.append(np.mean([high[i] > clear[j] for i, j in right]) if right else np.nan)
    share = overtaken(before, highest, Truth(places, rungs), clips)[ANY].share
    ends = np.nanquantile(shares, [0.025, 0.975])
    assert (share.low, share.high) == pytest.approx(tuple(ends), abs=0.05)  # 400 of the 2,000 resamples


def test_one_photograph_says_nothing_of_others_and_unknown_images_are_in_no_pair():
    before, highest = np.array([0.1, 0.2, 0.3]), np.array([0.25, 0.2, np.nan])
    one = overtaken(before, highest, Truth(np.array([1.0, 2.0, 3.0]), True), ["a"] * 3)[ANY]
    assert (one.pairs, one.share.value) == (1, 1)
    assert np.isnan([one.share.low, one.share.high]).all()
    none = overtaken(before, highest, Truth(np.full(3, np.nan), True), ["a"] * 3)
    assert (list(none), none[ANY].pairs, np.isnan(none[ANY].share.value)) == ([ANY], 0, True)
