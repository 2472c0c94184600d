"""Bootstrap intervals: seeded, of the right width, and right for clips."""

import math

import numpy as np
import pytest

from pipeline.scoring.robustness import SCORES, robustness
from pipeline.scoring.statistics import bootstrap, intervals, t_interval


def sample(n, seed=0):
    random = np.random.default_rng(seed)
    before = random.random(n)
    return before, before + random.normal(0.2, 0.1, n), np.array([f"image{i:04}" for i in range(n)])


def test_the_same_rows_give_the_same_replicates():
    first, second, other = bootstrap(*sample(30)), bootstrap(*sample(30)), bootstrap(*sample(30), seed=1)
    assert list(first) == list(SCORES)
    for name in SCORES:
        np.testing.assert_array_equal(first[name], second[name])
        assert (first[name] != other[name]).any()


def test_the_order_of_rows_does_not_matter():
    before, after, clips = sample(40)
    order = np.random.default_rng(5).permutation(40)
    want, got = bootstrap(before, after, clips), bootstrap(before[order], after[order], clips[order])
    for name in SCORES:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-9)


def test_a_replicate_is_the_score_of_the_drawn_clips():
    # Two clips: a replicate can only be the score of the one, of the other, or of both.
    before, after = np.array([0.1, 0.3, 0.7]), np.array([0.4, 0.2, 0.4])
    clips = np.array(["a", "a", "b"])
    possible = [robustness(before[keep], after[keep]) for keep in ([0, 1], [2], [0, 1, 2])]
    got = bootstrap(before, after, clips)
    for name in SCORES:
        values = np.array([scores[name] for scores in possible])
        nearest = np.abs(got[name][:, None] - values[None]).argmin(axis=1)
        np.testing.assert_allclose(got[name], values[nearest], atol=1e-12)
        assert np.bincount(nearest, minlength=3) / 2000 == pytest.approx([0.25, 0.25, 0.5], abs=0.05)


@pytest.mark.parametrize("resamples", [250, 2000])
def test_as_many_replicates_as_asked(resamples):
    assert {values.shape for values in bootstrap(*sample(5), resamples=resamples).values()} == {(resamples,)}


def test_intervals_are_the_middle_95_percent():
    got = intervals({"even": np.arange(1001.0), "broken": np.array([0, -math.inf])})
    assert got["even"] == pytest.approx((25, 975))
    assert all(math.isnan(end) for end in got["broken"])


def test_one_clip_says_nothing_of_others():
    before, after, _ = sample(20)
    spread = intervals(bootstrap(before, after, np.array(["clip"] * 20)))
    assert all(math.isnan(end) for interval in spread.values() for end in interval)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    # 300 samples of 50 images whose true mean gain is 0.2: 95 % of the intervals should hold it.
    hits = 0
    for seed in range(300):
        low, high = intervals(bootstrap(*sample(50, seed), resamples=500))["absolute_gain"]
        hits += low <= 0.2 <= high
    assert 0.89 < hits / 300 < 0.985


def test_frames_of_a_clip_are_not_independent():
    before, after, clips = sample(40)
    repeated = [np.repeat(values, 10) for values in (before, after, clips)]
    once, frames = intervals(bootstrap(before, after, clips)), intervals(bootstrap(*repeated))
    for name in SCORES:
        assert frames[name] == pytest.approx(once[name], abs=1e-9)
    low, high = t_interval(repeated[1] - repeated[0])
    assert (high - low) * 3 < frames["absolute_gain"][1] - frames["absolute_gain"][0]


def test_t_interval_by_hand():
    # mean 2, s = 1, t(.975, 2) = 4.302653: 2 ± 4.302653 / sqrt(3)
    assert t_interval(np.array([1.0, 2.0, 3.0])) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)
    assert all(math.isnan(end) for end in t_interval(np.array([1.0])))
