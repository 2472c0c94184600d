"""Compiled sums over resamples have the bits of those in numpy, so that nobody sees which of them made a table."""

import platform

import numpy as np
import pytest

from metric_robustness.pipeline.scoring.scores.arithmetic import IN_NUMPY, compiled
from metric_robustness.pipeline.scoring.scores.robustness import pooled_order
from metric_robustness.pipeline.scoring.scores.statistics import STEPS, Draws


@pytest.fixture(params=[(1, 2), (2, 2), (7, 3), (301, 301), (40_000, 3)], ids=lambda sizes: f"{sizes[0]} of {sizes[1]}")
def sample(request):
    """Returns scores, some of them equal, and the clips of so many images; the last have more than 16 bits count."""
    images, clips = request.param
    random = np.random.default_rng(images)
    before = random.random(images).round(3)
    return before, before + random.normal(0.1, 0.1, images), tuple(f"clip{i % clips}" for i in range(images))


def test_compiled_sums_have_the_bits_of_those_in_numpy(sample):
    before, after, clips = sample
    plain, fast = Draws(clips, 99, 0), Draws(clips, 99, 0)
    fast.steps = STEPS + 1
    scores = (before, after, pooled_order(before, after))
    np.testing.assert_array_equal(fast.distances(*scores), plain.distances(*scores))
    for lines in (1, 4, 5):  # compiled code sums four lines at a time
        values = np.stack([before * 10.0**-line for line in range(lines)])
        np.testing.assert_array_equal(fast.means(values), plain.means(values))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numpy may add products before it rounds them")
def test_after_some_work_the_compiled_sums_take_over():
    drawn = Draws(("a", "b"), 10, 0)
    assert drawn._arithmetic() is IN_NUMPY
    drawn.steps = STEPS + 1
    assert drawn._arithmetic() is compiled() is not IN_NUMPY


def test_work_is_counted():
    drawn = Draws(("a", "b", "c"), 10, 0)
    drawn.distances(scores := np.array([0.1, 0.2, 0.3]), scores, pooled_order(scores, scores))
    assert drawn.steps == 6 * 10
