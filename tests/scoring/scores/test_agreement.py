"""Agreement of scores with people's opinions: against scipy, and as the tables show it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from scipy import stats

from metric_robustness.pipeline.cells.row import COLUMNS
from metric_robustness.pipeline.scoring.read.rows import read_rows
from metric_robustness.pipeline.scoring.scores.opinions import agreement
from metric_robustness.pipeline.scoring.tables.write import write_tables

SCORES = np.array([0.3, 0.1, 0.9, 0.4, 0.4, 0.2])
OPINIONS = np.array([3.0, 1.0, 5.0, 3.5, 4.0, 4.5])


def test_it_is_what_scipy_says_and_1_is_best_either_way():
    found = agreement(SCORES, OPINIONS, higher_is_better=True)
    assert found.srocc == stats.spearmanr(SCORES, OPINIONS).statistic
    assert found.plcc == pytest.approx(stats.pearsonr(SCORES, OPINIONS).statistic, rel=1e-12)
    turned = agreement(-SCORES, OPINIONS, higher_is_better=False)
    assert turned == pytest.approx(found)
    assert agreement(OPINIONS**3, OPINIONS, higher_is_better=True).srocc == pytest.approx(1)


def test_images_that_nobody_rated_say_nothing():
    opinions = np.where(np.arange(6) == 5, np.nan, OPINIONS)
    assert agreement(SCORES, opinions, higher_is_better=True) == agreement(
        SCORES[:5], OPINIONS[:5], higher_is_better=True
    )


@pytest.mark.parametrize(
    ("scores", "opinions"), [(SCORES[:2], OPINIONS[:2]), (SCORES, np.full(6, 2.0)), (np.full(6, 0.1), OPINIONS)]
)
def test_too_few_images_or_all_alike_have_none(scores, opinions):
    assert np.isnan(agreement(scores, opinions, higher_is_better=True)).all()


@pytest.fixture
def rated(run_folder, make_row):
    """Returns a run of two metrics, of which one has rated images; lower is better."""
    rows = [
        make_row(f"{i}.png", score, 1 - score, mos=mos)
        for i, (score, mos) in enumerate(zip(SCORES, OPINIONS, strict=True))
    ]
    run_folder.cell("rough", "ifgsm", rows=rows, higher_is_better=False)
    run_folder.cell("plain", "ifgsm")
    write_tables([run_folder.path], run_folder.path)
    return run_folder.path


def test_the_tables_show_it_before_and_after_the_attack(rated):
    with (rated / "scores.csv").open(newline="") as file:
        lines = {line["metric"]: line for line in csv.DictReader(file)}
    srocc, plcc = (test(SCORES, OPINIONS).statistic for test in (stats.spearmanr, stats.pearsonr))
    found = {name: float(lines["rough"][f"{name}"]) for name in lines["rough"] if name[:5] in {"srocc", "plcc_"}}
    assert found == pytest.approx(
        {"srocc_clear": -srocc, "srocc_attacked": srocc, "plcc_clear": -plcc, "plcc_attacked": plcc}, abs=1e-5
    )
    assert lines["plain"]["srocc_clear"] == ""
    (section,) = json.loads((rated / "leaderboard.json").read_text())["sections"]
    metrics = {metric["metric"]: metric for metric in section["metrics"]}
    assert metrics["rough"]["opinions"]["ifgsm"]["srocc_attacked"] == pytest.approx(srocc, abs=1e-5)
    assert "opinions" not in metrics["plain"]
    assert (
        f"| rough | {-srocc:.3f} / {-plcc:.3f} | {srocc:.3f} / {plcc:.3f} |" in (rated / "leaderboard.md").read_text()
    )


@pytest.mark.parametrize("lacking", [1, 4, 5])
def test_rows_of_before_there_were_these_columns_are_read_as_they_were(run_folder, lacking):
    path = run_folder.cell()
    new = read_rows(path)
    old = path.with_name("old.csv")
    lines = [line.split(",") for line in path.read_text().splitlines()]
    assert lines[0][-5:] == ["mos", "l2", "radius", "certified_low", "certified_high"]
    old.write_text("".join(",".join(line[:-lacking]) + "\n" for line in lines))
    assert read_rows(old).table.equals(new.table)
    assert tuple(new.table) == COLUMNS
