"""How sure a ranking is: properties that can be checked by hand."""

import numpy as np
import pytest

from metric_robustness.pipeline.scoring.scores.ranking import detectable_difference, ranking


def test_by_hand():
    # In one of four resamples b is before a; c is always last.
    found = ranking({"a": np.array([1.0, 1, 1, 3]), "b": np.array([2.0, 2, 2, 2]), "c": np.array([9.0, 9, 9, 9])})
    assert found.p_better["a"] == {"b": 0.75, "c": 1.0}
    assert found.p_better["b"]["a"] == 0.25
    assert found.intervals == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}


def test_equal_gains_share_their_chance():
    same = np.array([1.0, 2.0, 3.0])
    assert ranking({"a": same, "b": same.copy()}).p_better == {"a": {"b": 0.5}, "b": {"a": 0.5}}


def test_equal_gains_may_stand_in_any_of_their_places():
    same, worse = np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0])
    found = ranking({"a": same, "b": same.copy(), "c": same.copy(), "d": worse})
    assert found.intervals == {"a": (1, 3), "b": (1, 3), "c": (1, 3), "d": (4, 4)}


def test_a_metric_of_unknown_gain_takes_nothing_from_the_others():
    known = {"a": np.array([1.0, 1, 1, 3]), "c": np.array([2.0, 2, 2, 2])}
    alone, beside = ranking(known), ranking(known | {"b": np.full(4, np.nan)})
    assert alone.intervals == {"a": (1, 2), "c": (1, 2)}
    assert beside.intervals == {"a": (1, 3), "c": (1, 3)}  # b may stand anywhere
    assert (beside.p_better, beside.detectable) == (alone.p_better, alone.detectable)


def test_nothing_is_said_where_all_gains_are_unknown():
    found = ranking({"a": np.full(2, np.nan), "b": np.full(2, np.nan)})
    assert (found.intervals, found.p_better, found.detectable) == ({}, {}, None)


def test_the_detectable_difference_is_found_with_the_power_it_says():
    # The paired difference has a standard error of 0.05. A test at the 5 % level must find a difference as large as the
    # one returned in 80 % of the cases.
    random = np.random.default_rng(0)
    least = detectable_difference(random.normal(0, 0.05, 100_000))
    assert least == pytest.approx(2.80 * 0.05, rel=0.01)
    told = np.abs(random.normal(least, 0.05, 100_000)) > 1.96 * 0.05
    assert told.mean() == pytest.approx(0.8, abs=0.01)
