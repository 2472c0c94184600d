"""Bootstrap intervals: seeded, of the right width, and right for clips."""

import math

import numpy as np
import pytest

from metric_robustness.pipeline.scoring.scores.robustness import SCORES, robustness
from metric_robustness.pipeline.scoring.scores.statistics import Draws, bootstrap, intervals, mean_of, t_interval


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
        np.testing.assert_array_equal(got[name], want[name])


def test_means_are_exact_sums_whatever_stands_beside_them():
    before, after, clips = sample(300)
    drawn = Draws(tuple(clips), 50, 0)
    values = np.stack([before, after * 1e-7, -after * 1e9])
    together, want = drawn.means(values), (values @ drawn.counts) / drawn.images
    for row, alone in zip(values, together, strict=True):
        np.testing.assert_array_equal(drawn.means(row[None])[0], alone)
    np.testing.assert_allclose(together, want, rtol=1e-11)


def test_one_value_that_is_not_finite_leaves_its_mean_unknown_and_the_others_known():
    values = np.array([[1.0, -np.inf, 2.0], [1.0, 2.0, 3.0]])
    broken, whole = Draws(("a", "b", "c"), 50, 0).means(values)
    assert np.isnan(broken).all()
    assert np.isfinite(whole).sum() > 40


def test_clips_of_very_many_frames_are_counted_right():
    before, after, clips = sample(2)
    many = [np.repeat(values, 20_000) for values in (before, after, clips)]
    once, frames = (bootstrap(*each, resamples=20) for each in ((before, after, clips), many))
    for name in SCORES:
        np.testing.assert_allclose(frames[name], once[name], rtol=1e-4, atol=1e-6)


def test_a_replicate_is_the_score_of_the_drawn_clips():
    # Two clips: replicates include the score of the one, of the other, and of both drawn equally often.
    before, after = np.array([0.1, 0.3, 0.7]), np.array([0.4, 0.2, 0.4])
    clips = np.array(["a", "a", "b"])
    possible = [robustness(before[keep], after[keep]) for keep in ([0, 1], [2], [0, 1, 2])]
    got = bootstrap(before, after, clips)
    for name in SCORES:
        values = np.array([scores[name] for scores in possible])
        assert np.nanmin(np.abs(got[name][:, None] - values[None]), axis=0) == pytest.approx(0, abs=1e-6), name
    # Neither clip is drawn in e^-2 of the resamples, only a or only b in e^-1 (1 - e^-1) each.
    assert np.isnan(got["absolute_gain"]).mean() == pytest.approx(math.exp(-2), abs=0.02)
    for scores in possible[:2]:
        only = np.isclose(got["absolute_gain"], scores["absolute_gain"])
        assert only.mean() == pytest.approx(math.exp(-1) * (1 - math.exp(-1)), abs=0.03)


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


def test_the_interval_holds_the_truth_as_often_as_it_says_where_a_t_interval_does_not():
    # 1,000 samples of 80 clips with 5 frames each, whose true mean gain is 0.2; most of the variance is between clips.
    clips = tuple(np.repeat([f"clip{i}" for i in range(80)], 5))
    random = np.random.default_rng(0)
    hits, naive = 0, 0
    for _ in range(1000):
        gains = 0.2 + np.repeat(random.normal(0, 0.1, 80), 5) + random.normal(0, 0.05, 400)
        estimate, _ = mean_of(gains, clips)
        hits += estimate.low <= 0.2 <= estimate.high
        low, high = t_interval(gains)
        naive += low <= 0.2 <= high
    assert 0.93 <= hits / 1000 <= 0.97
    assert naive / 1000 < 0.8


# How many of 1,000 intervals hold the true mean, as docs/methodology.md says. A percentile interval is too narrow by
# sqrt((n - 1) / n) and by what the normal distribution lacks against Student's, and of skewed gains it reaches too
# little to the longer side.
HELD = {
    "normal": {8: 0.90, 16: 0.93, 64: 0.95, 256: 0.95},
    "exponential": {8: 0.86, 16: 0.90, 64: 0.93, 256: 0.95},
}


@pytest.mark.parametrize("gains", HELD)
def test_intervals_of_few_images_are_too_narrow_by_as_much_as_we_say(gains):
    random = np.random.default_rng(0)
    draw = {"normal": lambda n: random.normal(0.2, 0.1, n), "exponential": lambda n: random.exponential(0.2, n)}[gains]
    found = {}
    for n in HELD[gains]:
        clips = tuple(f"image{i}" for i in range(n))
        estimates = [mean_of(draw(n), clips)[0] for _ in range(1000)]
        found[n] = sum(each.low <= 0.2 <= each.high for each in estimates) / 1000
    assert found == pytest.approx(HELD[gains], abs=0.02)


def test_the_mean_of_a_score_has_the_replicates_of_that_score():
    before, after, clips = sample(30)
    estimate, replicates = mean_of(after - before, clips)
    all_scores = bootstrap(before, after, clips)
    np.testing.assert_allclose(replicates, all_scores["absolute_gain"], rtol=1e-12)
    assert estimate[1:] == pytest.approx(intervals(all_scores)["absolute_gain"])


def test_replicates_are_the_scores_of_the_drawn_images():
    # Each image repeated as often as it was drawn, and scored plainly.
    before, after, clips = sample(25)
    after[::3] -= 0.5  # some gains are negative, so that the distribution functions cross
    times = Draws(tuple(clips), 40, 0).counts.astype(int).T
    got = bootstrap(before, after, clips, resamples=40)
    for i, count in enumerate(times):
        want = robustness(np.repeat(before, count), np.repeat(after, count))
        for name in SCORES:
            assert got[name][i] == pytest.approx(want[name], rel=1e-5, abs=1e-7), name


def test_a_clip_is_drawn_alike_wherever_it_is_scored():
    # The second metric lacks an image of the first: on what both have, the draws are the same.
    clips = [f"image{i}" for i in range(12)]
    whole, part = Draws(tuple(clips), 500, 0), Draws(tuple(clips[1:]), 500, 0)
    kept = [sorted(clips).index(clip) for clip in sorted(clips[1:])]
    np.testing.assert_array_equal(whole.counts[kept], part.counts)


def test_frames_of_a_clip_are_not_independent():
    before, after, clips = sample(40)
    repeated = [np.repeat(values, 10) for values in (before, after, clips)]
    once, frames = intervals(bootstrap(before, after, clips)), intervals(bootstrap(*repeated))
    for name in SCORES:
        assert frames[name] == pytest.approx(once[name], rel=1e-5)
    low, high = t_interval(repeated[1] - repeated[0])
    assert (high - low) * 3 < frames["absolute_gain"][1] - frames["absolute_gain"][0]


def test_t_interval_by_hand():
    # mean 2, s = 1, t(.975, 2) = 4.302653: 2 ± 4.302653 / sqrt(3)
    assert t_interval(np.array([1.0, 2.0, 3.0])) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)
    assert all(math.isnan(end) for end in t_interval(np.array([1.0])))


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-40, 1e39, 1e150])
@pytest.mark.filterwarnings("error")
def test_scores_of_every_size_have_intervals(size):
    """A float32 holds neither 1e-310 nor 1e39; the last is a score of 1e38 on a range of a tenth."""
    steps = np.random.default_rng(0).integers(1, 1000, (2, 20)).astype(float)
    clips = [f"image{i}" for i in range(20)]
    spread = intervals(bootstrap(steps[0] * size, steps[1] * size, clips))
    want = intervals(bootstrap(*steps, clips))
    for name in ("absolute_gain", "wasserstein"):
        assert np.divide(spread[name], size) == pytest.approx(want[name], rel=1e-5, abs=1), name
    assert all(np.isfinite(spread["energy_distance"]))
