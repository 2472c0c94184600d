"""Bad input: excluded or rejected by name, with the reason in every table; never a wrong rank."""

import json

import pandas as pd
import pytest

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.tables.write import write_tables


def tables(folder):
    """Returns leaderboard.json, leaderboard.md and scores.csv."""
    write_tables([folder.path], folder.path)
    board = json.loads((folder.path / "leaderboard.json").read_text(encoding="utf-8"))
    return board, (folder.path / "leaderboard.md").read_text(encoding="utf-8"), pd.read_csv(folder.path / "scores.csv")


def test_no_cells(tmp_path):
    with pytest.raises(BenchError, match=r"must hold cells, METRIC/ATTACK\.csv; got none: run with --out"):
        write_tables([tmp_path], tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_image_has_scores_and_a_rank_but_nothing_that_would_need_a_second(run_folder):
    run_folder.cell("blur", "ifgsm", [0.2], clear=[0.4])
    run_folder.cell("sharp", "ifgsm", [0.1], clear=[0.4])
    board, text, scores = tables(run_folder)
    (section,) = board["sections"]
    assert [(each["metric"], each["rank"], each["rank_interval"]) for each in section["metrics"]] == [
        ("sharp", 1, None),
        ("blur", 2, None),
    ]
    assert (section["p_better"], section["detectable"]) == ({}, None)
    assert section["metrics"][0]["worst_case"]["absolute_gain"] == {"value": 0.1, "low": None, "high": None}
    assert "| **0.100** |" in text
    assert scores["absolute_gain_low"].isna().all()


def test_one_metric_is_first_of_one(run_folder):
    run_folder.cell("blur", "ifgsm", [0.2, 0.3])
    (section,) = tables(run_folder)[0]["sections"]
    assert (section["metrics"][0]["rank"], section["metrics"][0]["rank_interval"]) == (1, [1, 1])
    assert (section["p_better"], section["detectable"]) == ({"blur": {}}, None)


def test_where_every_attack_failed_the_tables_say_why(run_folder):
    for attack in ("fgsm", "ifgsm"):
        run_folder.without_rows("blur", attack, "failed", f"{attack} broke")
    board, text, scores = tables(run_folder)
    (section,) = board["sections"]
    (metric,) = section["metrics"]
    assert (metric["rank"], metric["worst_case"], section["images"]) == (None, None, 0)
    assert metric["missing"] == {"fgsm": "fgsm broke", "ifgsm": "ifgsm broke"}
    assert "| blur | fgsm | sample | failed | fgsm broke |" in text
    assert scores["reason"].tolist() == ["fgsm broke", "ifgsm broke"]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_a_row_that_is_not_finite_is_named_and_spoils_no_other(run_folder, make_row, value):
    rows = [make_row("a.png", 0.1, 0.2), make_row("b.png", 0.1, 0.3), make_row("bad.png", 0.1, float(value))]
    run_folder.cell("blur", "ifgsm", rows=rows)
    board, text, scores = tables(run_folder)
    (metric,) = board["sections"][0]["metrics"]
    assert metric["worst_case"]["absolute_gain"]["value"] == pytest.approx(0.15)
    assert {flag["code"] for flag in metric["flags"]} == {"fewer_images", "rows_missing"}
    assert f"rows missing: bad.png (attacked is {value})" in text
    assert (scores["n"].tolist(), scores["missing"].tolist()) == ([2], [1])


def test_rows_that_contradict_each_other_count_on_neither_side(run_folder, make_row):
    rows = [make_row("a.png", 0.1, 0.2), make_row("a.png", 0.1, 0.9), make_row("b.png", 0.1, 0.3)]
    run_folder.cell("blur", "ifgsm", rows=rows)
    board, text, _ = tables(run_folder)
    (metric,) = board["sections"][0]["metrics"]
    assert metric["worst_case"]["absolute_gain"]["value"] == pytest.approx(0.2)
    assert {flag["code"] for flag in metric["flags"]} == {"fewer_images", "rows_missing", "rows_excluded"}
    assert "rows missing: a.png (its rows contradict each other)" in text


def test_a_cell_of_an_older_protocol_is_set_aside(run_folder):
    run_folder.cell("blur", "ifgsm", [0.2, 0.2], protocol=2)
    run_folder.cell("old", "ifgsm", [0.1, 0.1], protocol=1)
    run_folder.cell("unsaid", "ifgsm", [0.3, 0.3])
    board, text, scores = tables(run_folder)
    (section,) = board["sections"]
    assert {each["metric"]: each["rank"] for each in section["metrics"]} == {"blur": 1, "unsaid": 2, "old": None}
    reason = "measured with protocol 1, the others with 2: run the cell again"
    assert f"| old | ifgsm | sample | stale | {reason} |" in text
    assert scores.set_index("metric")["reason"]["old"] == reason


def test_a_cell_of_other_images_is_set_aside(run_folder):
    for metric, digest in {"blur": "d1", "sharp": "d1", "other": "d2"}.items():
        run_folder.cell(metric, "ifgsm", [0.2, 0.2], digest=digest)
    board, text, _ = tables(run_folder)
    (section,) = board["sections"]
    assert {each["metric"]: each["rank"] for each in section["metrics"]} == {"blur": 1, "sharp": 2, "other": None}
    assert "measured with images with the digest d2, the others with d1: run the cell again" in text


def test_of_equally_many_the_newer_images_count(run_folder):
    run_folder.cell("old", "ifgsm", [0.2, 0.2], digest="d2", finished="2026-01-01T00:00:00+00:00")
    run_folder.cell("new", "ifgsm", [0.2, 0.2], digest="d1", finished="2026-02-01T00:00:00+00:00")
    (section,) = tables(run_folder)[0]["sections"]
    assert {each["metric"]: each["rank"] for each in section["metrics"]} == {"new": 1, "old": None}
