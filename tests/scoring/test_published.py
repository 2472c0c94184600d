"""The numbers that the original benchmark's formulas give on its published rows, to 1e-6."""

import json

import numpy as np
import pandas as pd
import pytest

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.read.rows import read_rows
from metric_robustness.pipeline.scoring.scores.robustness import robustness, subset_scale, terms
from metric_robustness.pipeline.scoring.scores.statistics import bootstrap, intervals, t_interval
from metric_robustness.pipeline.scoring.tables.score_report import score_paths


@pytest.fixture(scope="module")
def published(shared_data):
    return shared_data / "published"


@pytest.fixture(scope="module")
def stored(published):
    return json.loads((published / "scores.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("parity", [False, True])
def test_every_stored_number(published, stored, parity):
    got = json.loads(score_paths([published], "subset", parity=parity).to_json())
    assert set(got) == set(stored["scores"])
    for key, want in stored["scores"].items():
        assert list(got[key]) == list(want)
        for name, value in want.items():
            expected = value if isinstance(value, str) else pytest.approx(value, abs=1e-6)
            assert got[key][name] == expected, (key, name)


def test_a_single_file_gives_its_own_keys(published, stored):
    got = json.loads(score_paths([published / "madc_maniqa_test.csv"], "subset").to_json())
    assert set(got) == {key for key in stored["scores"] if key.startswith("madc|")}


def test_the_two_labels_of_one_data_set_are_told(published):
    assert score_paths([published], "subset").notes == ["madc_maniqa_test.csv: data set NIPS2017 is read as NIPS"]


def test_without_a_range_scaling_is_by_subset_and_says_so(published, tmp_path):
    path, none = published / "ifgsm_maniqa_test.csv", tmp_path / "ranges.csv"
    report = score_paths([path], ranges=none)
    assert report.to_json() == score_paths([path], "subset").to_json()
    assert any("no range is known" in note for note in report.notes)
    unknown = tmp_path / "ifgsm_nobodys_test.csv"
    unknown.write_bytes(path.read_bytes())
    with pytest.raises(BenchError, match="--scaling subset"):
        score_paths([unknown], "fixed", ranges=none)


def test_fixed_scaling_takes_the_declared_range_where_none_was_measured(published, tmp_path):
    report = score_paths([published / "ifgsm_maniqa_test.csv"], "fixed", ranges=tmp_path / "ranges.csv")
    got = json.loads(report.to_json())["ifgsm|NIPS"]
    low, high = lookup.find("metrics", "maniqa").fields["score_range"]
    assert got["absolute_gain"] == pytest.approx((got["attacked_mean"] - got["clear_mean"]) / (high - low))
    assert any(f"declared range, {low:g} to {high:g}, higher is better" in note for note in report.notes)


def test_a_measured_range_is_used(published, tmp_path):
    ranges = tmp_path / "ranges.csv"
    ranges.write_text("metric,low,high,n,dataset,date\nmaniqa,0,2,1000,nips2017,2024-01-01\n", encoding="utf-8")
    path = published / "ifgsm_maniqa_test.csv"
    got = json.loads(score_paths([path], "fixed", ranges=ranges).to_json())["ifgsm|NIPS"]
    assert got["absolute_gain"] == pytest.approx((got["attacked_mean"] - got["clear_mean"]) / 2)
    lower = json.loads(score_paths([path], "fixed", ranges=ranges, lower_is_better=True).to_json())["ifgsm|NIPS"]
    assert lower["absolute_gain"] == pytest.approx(-got["absolute_gain"])


def test_synthetic_scores_and_t_intervals(stored):
    clear, attacked = (np.array(stored["synthetic"][name]) for name in ("clear", "attacked"))
    want = stored["synthetic"]["expected"]
    scale = subset_scale(clear)
    scores = robustness(scale(clear), scale(attacked))
    parts = terms(scale(clear), scale(attacked))
    parts["classic"] = (attacked - clear) / (clear + 1e-6)  # what the original code calls relative gain
    for name, own in {
        "robustness_score": "r_score",
        "normalized_relative_gain": "relative_gain",
        "normalized_absolute_gain": "absolute_gain",
        "relative_gain_classic": "classic",
    }.items():
        assert parts[own].mean() == pytest.approx(want[name], abs=1e-6)
        assert t_interval(parts[own]) == pytest.approx(tuple(want[f"{name}_ci"]), abs=1e-6)
    assert scores["r_score"] == pytest.approx(want["robustness_score"], abs=1e-6)
    assert scores["wasserstein"] == pytest.approx(want["wasserstein_score"], abs=1e-6)
    assert scores["energy_distance"] == pytest.approx(want["energy_distance_score"], abs=1e-6)


def test_duplicate_rows_are_told_and_kept_only_for_parity(published, tmp_path):
    table = pd.read_csv(published / "std-fgsm_maniqa_test.csv", dtype=str)
    path = tmp_path / "std-fgsm_maniqa_test.csv"
    pd.concat([table, table.head(48)]).to_csv(path, index=False)
    once, twice = score_paths([path], "subset"), score_paths([path], "subset", parity=True)
    assert once.notes == ["std-fgsm_maniqa_test.csv: 48 duplicate rows excluded"]
    assert twice.notes == ["std-fgsm_maniqa_test.csv: 48 duplicate rows kept"]
    assert json.loads(once.to_json())["std-fgsm|all"]["n"] == 3218
    assert json.loads(twice.to_json())["std-fgsm|all"]["n"] == 3266
    original = score_paths([published / "std-fgsm_maniqa_test.csv"], "subset")
    assert once.to_json() == original.to_json()


def test_frames_are_grouped_into_the_clips_they_come_from(published):
    rows = read_rows(published / "ifgsm_maniqa_test.csv").table
    clips = rows.groupby("dataset")["clip"].nunique()
    assert clips.to_dict() == {"DERF": 1, "NIPS": 1000, "VIMEO": 667}


def test_triplets_make_the_interval_wider_than_independent_images_would(published):
    rows = read_rows(published / "ifgsm_maniqa_test.csv").table
    vimeo = rows[rows["dataset"] == "VIMEO"]
    clear, attacked = vimeo["clear"].to_numpy(), vimeo["attacked"].to_numpy()
    scale = subset_scale(clear)
    before, after = scale(clear), scale(attacked)
    low, high = intervals(bootstrap(before, after, vimeo["clip"].to_numpy(dtype=str)))["absolute_gain"]
    narrow_low, narrow_high = t_interval(after - before)
    # The three frames of a clip are almost alike, so the interval is wider by about the root of 3.
    assert 1.4 < (high - low) / (narrow_high - narrow_low) < 1.8
