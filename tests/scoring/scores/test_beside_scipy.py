"""What is computed without scipy.stats, whose import takes a second, is what scipy.stats gives, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from metric_robustness.pipeline.scoring.scores.robustness import _energy_distance, _wasserstein
from metric_robustness.pipeline.scoring.scores.statistics import t_interval


@pytest.mark.parametrize("count", [2, 3, 50, 1000])
def test_distances_and_intervals_are_those_of_scipy(count):
    generator = np.random.default_rng(count)
    before, after = generator.random(count).round(2), generator.random(count)  # rounded: some scores are equal
    expected = stats.t.interval(0.95, count - 1, loc=before.mean(), scale=stats.sem(before))
    assert t_interval(before) == tuple(map(float, expected))
    assert _wasserstein(before, after) == stats.wasserstein_distance(before, after)
    assert _energy_distance(before, after) == stats.energy_distance(before, after)
