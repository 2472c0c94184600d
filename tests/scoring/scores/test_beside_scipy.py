"""What scoring computes itself, since scipy.stats takes half a second to import, has the values of scipy.stats."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from metric_robustness.pipeline.scoring.scores.ranks import ranks, spearman
from metric_robustness.pipeline.scoring.scores.robustness import SCORES, distribution_gaps, pooled_order
from metric_robustness.pipeline.scoring.scores.statistics import t_interval

DISTANCES = {"wasserstein": stats.wasserstein_distance, "energy_distance": stats.energy_distance}


@pytest.fixture(params=[(1, 2), (2, 9), (100, 9), (301, 1)])
def pair(request):
    """Returns two sets of scores, in some of which values repeat."""
    count, digits = request.param
    drawn = np.random.default_rng(count)
    clear = drawn.random(count).round(digits)
    return clear, (clear + drawn.normal(0, 0.3, count)).round(digits)


@pytest.mark.parametrize("name", DISTANCES)
def test_distances_of_two_sets(name, pair):
    assert SCORES[name].distance(*distribution_gaps(*pair, pooled_order(*pair))) == DISTANCES[name](*pair)


def test_rank_correlation(pair):
    if len(pair[0]) > 1:
        assert spearman(*pair) == stats.spearmanr(*pair).statistic


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [1.0, math.nan, 2.0]])
def test_equal_or_unknown_values_have_no_rank_correlation(values):
    assert math.isnan(spearman(np.array(values), np.array([1.0, 2.0, 3.0])))


def test_ranks_of_each_column(pair):
    table = np.stack(pair, axis=1)
    np.testing.assert_array_equal(ranks(table), stats.rankdata(table, axis=0))


def test_t_intervals(pair):
    values = pair[1]
    if len(values) > 1:
        theirs = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
        assert t_interval(values) == theirs
