"""What `score` prints for run folders; published rows are in test_published.py."""

import json

import pytest
from rich.console import Console

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.tables.score_report import score_paths


def scored(paths, *args, **options):
    return json.loads(score_paths(paths, *args, **options).to_json())


def test_one_metric_gives_attack_and_data_set(run_folder, tmp_path):
    csv = run_folder.cell("blur", "ifgsm", gains=[0.1, 0.3])
    want = scored([run_folder.path], ranges=tmp_path / "none")
    assert list(want) == ["ifgsm|sample"]
    assert want["ifgsm|sample"]["n"] == 2
    assert want["ifgsm|sample"]["clear_min"] == 0.4
    assert want["ifgsm|sample"]["attacked_mean"] == 0.7
    assert want["ifgsm|sample"]["absolute_gain"] == pytest.approx(0.2)
    assert scored([csv], ranges=tmp_path / "none") == want


def test_several_metrics_stand_one_level_deeper(run_folder):
    run_folder.cell("blur", "ifgsm")
    run_folder.cell("sharp", "madc")
    assert {metric: list(keys) for metric, keys in scored([run_folder.path]).items()} == {
        "blur": ["ifgsm|sample"],
        "sharp": ["madc|sample"],
    }


def test_the_stamp_knows_the_direction(run_folder):
    run_folder.cell("blur", "ifgsm", gains=[-0.1, -0.3], higher_is_better=False)
    got = scored([run_folder.path], "fixed")["ifgsm|sample"]
    assert got["absolute_gain"] == pytest.approx(0.2)
    assert scored([run_folder.path], "subset")["ifgsm|sample"]["absolute_gain"] == pytest.approx(1)


def test_variants_and_universal_patterns_have_keys_of_their_own(run_folder, make_row):
    run_folder.cell(rows=[make_row("a.png", 0.1, 0.2), make_row("a.png", 0.1, 0.3, variant="matched")])
    patterns = [make_row("a.png", 0.1, 0.2, train_dataset="COCO", amplitude=each) for each in (0.2, 0.8)]
    run_folder.cell(attack="uap", rows=patterns)
    assert list(scored([run_folder.path])) == [
        "ifgsm|sample",
        "ifgsm:matched|sample",
        "uap_COCO_amp0.2|sample",
        "uap_COCO_amp0.8|sample",
    ]


def test_several_data_sets_also_give_all(run_folder, make_row):
    run_folder.cell(rows=[make_row("a.png", 0.1, 0.2), make_row("a.png", 0.1, 0.4, dataset="other")])
    got = scored([run_folder.path], "fixed")
    assert list(got) == ["ifgsm|all", "ifgsm|other", "ifgsm|sample"]
    assert got["ifgsm|all"]["absolute_gain"] == pytest.approx(0.2)


def test_what_subset_scaling_cannot_scale_is_null_and_told(run_folder):
    run_folder.cell(gains=[0.1])
    report = score_paths([run_folder.path], "subset")
    assert json.loads(report.to_json())["ifgsm|sample"]["absolute_gain"] is None
    assert any("must differ for subset scaling" in note for note in report.notes)


def test_what_is_not_scored_is_told(run_folder, make_row):
    run_folder.cell("blur", "ifgsm", rows=[make_row("a.png", 0.1, 0.2), make_row("b.png", 0.1, float("inf"))])
    run_folder.without_rows("blur", "madc", "failed", "no memory")
    assert score_paths([run_folder.path]).notes == [
        "blur/ifgsm: 1 of 2 rows excluded: b.png (attacked is inf)",
        "blur/madc: failed: no memory",
    ]


def test_nothing_to_score_is_an_error_with_the_reasons(run_folder):
    run_folder.without_rows("blur", "madc", "failed", "no memory")
    with pytest.raises(BenchError, match="blur/madc: failed: no memory"):
        score_paths([run_folder.path])


def test_rows_without_a_stamp_are_scored_as_told(run_folder, tmp_path):
    csv = run_folder.cell(gains=[0.1, 0.3])
    csv.with_suffix(".json").unlink()
    higher, lower = (
        scored([csv], "subset", lower_is_better=lower)["ifgsm|sample"]["absolute_gain"] for lower in (False, True)
    )
    assert higher == pytest.approx(1)
    assert lower == pytest.approx(-1)


def test_the_table_fits_80_columns_and_shows_margins(run_folder):
    run_folder.cell(gains=[0.1, 0.3, 0.2])
    console = Console(width=80, record=True)
    console.print(score_paths([run_folder.path]).table())
    text = console.export_text()
    assert "ifgsm   sample" in text
    assert "0.200 ±0.1" in text
