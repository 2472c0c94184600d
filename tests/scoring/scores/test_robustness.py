"""The formulas, by hand and by their properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.scoring.scores.robustness import SCORES, ScoreScale, robustness, subset_scale, terms


def scores(clear, attacked):
    return robustness(np.array(clear, dtype=float), np.array(attacked, dtype=float))


@st.composite
def pairs(draw, least=1):
    n = draw(st.integers(least, 20))
    values = st.floats(-0.5, 2, width=32).map(lambda value: round(value, 4))
    return draw(arrays(float, n, elements=values)), draw(arrays(float, n, elements=values))


def test_every_formula_by_hand():
    # c = .2, .6; a = .4, .5: gains .2, -.1
    got = scores([0.2, 0.6], [0.4, 0.5])
    assert got["absolute_gain"] == pytest.approx((0.2 - 0.1) / 2)
    assert got["relative_gain"] == pytest.approx((0.2 / 1.2 - 0.1 / 1.6) / 2)
    assert got["r_score"] == pytest.approx((math.log10(0.8 / 0.200001) + math.log10(0.6 / 0.100001)) / 2)
    # room as printed: max(1 - a, c) = max(.6, .2), max(.5, .6)
    assert got["r_score_printed"] == pytest.approx((math.log10(0.6 / 0.200001) + math.log10(0.6 / 0.100001)) / 2)
    # sorted: .2 against .4, .6 against .5
    assert got["wasserstein"] == pytest.approx((0.2 + 0.1) / 2)
    # F_c - F_a = .5 on [.2, .4], 0 on [.4, .5], -.5 on [.5, .6]
    assert got["energy_distance"] == pytest.approx(math.sqrt(2 * 0.25 * 0.3))


def test_a_declared_score_is_a_mean_or_a_distance_and_has_a_place_of_its_own():
    assert all((score.term is None) != (score.distance is None) for score in SCORES.values())
    assert sorted(score.place for score in SCORES.values()) == list(range(1, len(SCORES) + 1))
    assert list(scores([0.2, 0.6], [0.4, 0.5])) == list(SCORES)


def test_distances_carry_the_sign_of_the_mean_gain():
    got = scores([0.2, 0.6], [0.1, 0.5])
    assert got["wasserstein"] == pytest.approx(-0.1)
    assert got["energy_distance"] < 0
    assert scores([0.2, 0.6], [0.6, 0.2])["wasserstein"] == 0


def test_one_image_that_did_not_move():
    got = scores([0.25], [0.25])
    assert got == {
        "absolute_gain": 0,
        "relative_gain": 0,
        "r_score": pytest.approx(math.log10(0.75e6)),
        "r_score_printed": pytest.approx(math.log10(0.75e6)),
        "wasserstein": 0,
        "energy_distance": 0,
    }


def test_no_room_as_printed_is_minus_infinity_and_spoils_nothing_else():
    got = scores([0.0, 0.5], [1.5, 0.6])
    assert got.pop("r_score_printed") == -math.inf
    assert np.isfinite(list(got.values())).all()
    assert scores([-0.2], [1.5])["r_score_printed"] == -math.inf


def test_relative_gain_is_unknown_a_whole_range_below_the_scale():
    assert math.isnan(scores([-1.0, 0.5], [0.5, 0.6])["relative_gain"])
    assert math.isnan(scores([-1.5, 0.5], [0.5, 0.6])["relative_gain"])


@pytest.mark.parametrize(
    ("clear", "attacked", "says"),
    [
        ([], [], "at least one image"),
        ([0.1, 0.2], [0.1], "at least one image"),
        ([0.1, 0.2], [0.1, math.inf], "1 of 2"),
        ([math.nan, math.nan], [0.1, 0.2], "2 of 2"),
    ],
)
def test_refuses_what_has_no_score(clear, attacked, says):
    with pytest.raises(DataError, match=says):
        scores(clear, attacked)


def test_scale_puts_the_best_end_at_one():
    ends = np.array([10.0, 30.0, 40.0])
    assert ScoreScale(10, 30)(ends).tolist() == [0, 1, 1.5]
    assert ScoreScale(10, 30, higher_is_better=False)(ends).tolist() == [1, 0, -0.5]


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (0, 1e-300), (0, math.inf), (-1e308, 1e308), (math.nan, 1)])
def test_refuses_a_range_that_is_none(low, high):
    with pytest.raises(DataError, match="low below high"):
        ScoreScale(low, high)


def test_subset_scale_spans_the_clear_scores():
    scale = subset_scale(np.array([3.0, 5.0, 4.0]), higher_is_better=False)
    assert (scale.low, scale.high, scale.higher_is_better, scale.source) == (3, 5, False, "subset")


@pytest.mark.parametrize("clear", [[], [0.5], [0.5, 0.5]])
def test_subset_scale_needs_clear_scores_that_differ(clear):
    with pytest.raises(DataError, match="must differ"):
        subset_scale(np.array(clear))


@given(pairs(), st.floats(0.01, 100), st.floats(-50, 50))
def test_a_metric_in_another_unit_has_the_same_scores(pair, factor, offset):
    before, after = pair
    scale = ScoreScale(offset, offset + factor)
    got = robustness(scale(before * factor + offset), scale(after * factor + offset))
    assert got["absolute_gain"] == pytest.approx(robustness(before, after)["absolute_gain"], abs=1e-9)
    assert got["energy_distance"] == pytest.approx(robustness(before, after)["energy_distance"], abs=1e-5)


@given(pairs())
def test_a_metric_turned_round_has_the_same_scores(pair):
    before, after = pair
    higher, lower = ScoreScale(0, 1), ScoreScale(-1, 0, higher_is_better=False)
    want = robustness(higher(before), higher(after))
    got = robustness(lower(-before), lower(-after))
    for name in ("absolute_gain", "relative_gain", "r_score", "wasserstein", "energy_distance"):
        assert got[name] == pytest.approx(want[name], abs=1e-6, nan_ok=True), name


@given(pairs(), st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(pair, random):
    before, after = pair
    order = list(range(before.size))
    random.shuffle(order)
    want, got = robustness(before, after), robustness(before[order], after[order])
    for name in SCORES:
        assert got[name] == pytest.approx(want[name], abs=1e-9, nan_ok=True), name


@given(pairs(), st.floats(0.001, 1))
def test_scores_raised_by_a_constant_move_by_that_constant(pair, shift):
    before, _ = pair
    got = robustness(before, before + shift)
    assert got["absolute_gain"] == pytest.approx(shift)
    assert got["wasserstein"] == pytest.approx(shift)
    assert got["energy_distance"] > 0
    down = robustness(before, before - shift)
    assert down["wasserstein"] == pytest.approx(-shift)
    assert down["relative_gain"] < 0


@given(pairs())
def test_a_larger_move_is_a_smaller_r_score(pair):
    before, _ = pair
    near, far = terms(before, before + 0.1)["r_score"], terms(before, before + 0.2)["r_score"]
    assert (near > far).all()
