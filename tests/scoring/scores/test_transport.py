"""Bringing one metric's scores to another's scale: exact, monotone, the same every time."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.scoring.scores.transport import Transport
from metric_robustness.pipeline.scoring.tables.score_report import score_paths

scores = st.lists(st.floats(-100, 100).map(lambda value: round(value, 3)), min_size=2, max_size=30).filter(
    lambda values: len(set(values)) > 1
)


def test_by_hand():
    # 1 -> 10, 2 -> 20, 4 -> 60; halfway between 2 and 4 is 40; beyond, the slope of the whole, 50 / 3, goes on.
    move = Transport(np.array([4.0, 1.0, 2.0]), np.array([20.0, 60.0, 10.0]))
    assert move(np.array([1.0, 2.0, 4.0, 3.0])) == pytest.approx([10, 20, 60, 40])
    assert move(np.array([0.0, 7.0])) == pytest.approx([10 - 50 / 3, 60 + 50])


def test_a_metric_where_lower_is_better_is_mirrored():
    # The best source, 1, goes to the best target, 60.
    move = Transport(np.array([1.0, 2.0, 4.0]), np.array([10.0, 20.0, 60.0]), mirrored=True)
    assert move(np.array([1.0, 2.0, 4.0])) == pytest.approx([60, 20, 10])
    assert (np.diff(move(np.linspace(-3, 9, 50))) < 0).all()


def test_equal_scores_stay_equal():
    move = Transport(np.array([1.0, 1.0, 2.0]), np.array([0.0, 4.0, 9.0]))
    assert move(np.array([1.0, 2.0])) == pytest.approx([2, 9])


@given(source=scores, target=st.randoms(use_true_random=False), mirrored=st.booleans())
def test_it_is_monotone_and_carries_one_set_of_scores_onto_the_other(source, target, mirrored):
    source = np.array(source)
    target = np.array([target.uniform(-5, 5) for _ in source])
    move = Transport(source, target, mirrored=mirrored)
    along = np.diff(move(np.linspace(source.min() - 10, source.max() + 10, 200)))
    assert ((along <= 1e-9) if mirrored else (along >= -1e-9)).all()
    if np.unique(source).size == source.size:
        assert stats.wasserstein_distance(move(source), target) == pytest.approx(0, abs=1e-9)
    order = np.random.default_rng(0).permutation(source.size)
    np.testing.assert_array_equal(move(source), Transport(source[order], target, mirrored=mirrored)(source))


@pytest.mark.parametrize("source", [[], [1.0], [2.0, 2.0]])
def test_scores_that_do_not_differ_cannot_be_matched(source):
    with pytest.raises(DataError, match="at least two clear scores must differ"):
        Transport(np.array(source), np.array(source))


def test_metrics_are_compared_on_one_scale(run_folder, make_row, tmp_path):
    # The same metric in another unit and turned round: on one scale it has the same scores.
    images, clear, attacked = ["a", "b", "c", "d"], [0.1, 0.3, 0.4, 0.8], [0.3, 0.35, 0.9, 0.85]
    run_folder.cell("one", rows=[make_row(*row) for row in zip(images, clear, attacked, strict=True)])
    turned = [make_row(i, 50 - 20 * c, 50 - 20 * a) for i, c, a in zip(images, clear, attacked, strict=True)]
    run_folder.cell("turned", rows=turned, higher_is_better=False)
    found = json.loads(score_paths([run_folder.path], scale_to="one", ranges=tmp_path / "none").to_json())
    assert found["turned"] == found["one"]


def test_only_images_that_both_metrics_have_are_matched(run_folder, make_row, tmp_path):
    run_folder.cell("one", rows=[make_row("a", 0.2, 0.3), make_row("b", 0.4, 0.5), make_row("z", 9.0, 9.0)])
    run_folder.cell("other", rows=[make_row("a", 2, 3), make_row("b", 4, 5), make_row("c", 100, 100)])
    found = json.loads(score_paths([run_folder.path], scale_to="one", ranges=tmp_path / "none").to_json())
    assert found["other"]["ifgsm|sample"]["clear_min"] == pytest.approx(0.2)
    assert found["other"]["ifgsm|sample"]["clear_max"] == pytest.approx(10.0)


def test_what_shares_no_image_is_left_out_with_a_note(run_folder, make_row):
    run_folder.cell("one", rows=[make_row("a", 0.2, 0.3), make_row("b", 0.4, 0.5)])
    run_folder.cell("other", rows=[make_row("x", 0.2, 0.3), make_row("y", 0.4, 0.5)])
    report = score_paths([run_folder.path], scale_to="one")
    assert [item.metric for item in report.scored] == ["one"]
    assert any("other/ifgsm|sample: not brought to the scale of one" in note for note in report.notes)


def test_an_unknown_target_is_named_with_what_there_is(run_folder):
    run_folder.cell("maniqa")
    with pytest.raises(BenchError, match="did you mean maniqa"):
        score_paths([run_folder.path], scale_to="manika")
