"""What a benchmark loses, in the tables: overtaken.csv, leaderboard.json, what `show` says, and the plot."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from plots.drawn import shown

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.write import write_plot
from metric_robustness.pipeline.scoring.tables.board_file import read_board
from metric_robustness.pipeline.scoring.tables.show import ordered, rendered
from metric_robustness.pipeline.scoring.tables.write import write_tables

# photograph -> by rung, from 1: clear score, and the highest within 1/255 and 10/255
LADDER = {
    "p": [(0.3, 0.4, 0.55), (0.5, 0.58, 0.65), (0.6, 0.65, 0.7)],
    "q": [(0.4, 0.41, 0.6), (0.3, 0.3, 0.35), (0.4, 0.4, 0.5)],  # 1 above 2 before any attack, and equal to 3
    "single": [(0.1, 0.9, 0.9)],
}


def ladder_rows(make_row, photographs=LADDER, sign=1):
    """Returns the rows of a ladder; with -1 those of a metric that has the same scores upside down."""
    for photograph, rungs in photographs.items():
        for rung, (clear, *reached) in enumerate(rungs, 1):
            for budget, attacked in zip((1, 10), reached, strict=True):
                yield make_row(
                    f"{photograph}/{rung}.png",
                    *((score if sign > 0 else 1 - score) for score in (clear, attacked)),
                    clip=photograph,
                    rung=float(rung),
                    variant="" if budget == 10 else f"eps={budget}/255",
                    linf=budget / 255,
                )


def lines(folder: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    with (folder / "overtaken.csv").open(newline="") as file:
        return {(line["metric"], line["apart"], line["budget"]): line for line in csv.DictReader(file)}


@pytest.fixture
def ladder(run_folder, make_row):
    run_folder.cell("blur", "ifgsm", rows=list(ladder_rows(make_row)))
    return run_folder


def test_encodings_of_one_photograph_are_compared_within_the_budget_that_was_measured(ladder):
    write_tables([ladder.path], ladder.path)
    found = lines(ladder.path)
    assert {(apart, budget): found["blur", apart, budget]["overtaken"] for _, apart, budget in found} == {
        ("any", "1"): "0",
        ("1", "1"): "0",
        ("2", "1"): "0",
        ("any", "10"): "0.5",  # of p's three pairs two, of q's one pair in right order none
        ("1", "10"): "0.666667",
        ("2", "10"): "0",
    }
    whole, near = found["blur", "any", "10"], found["blur", "1", "10"]
    assert [whole[name] for name in ("truth", "pairs", "wrong", "ties")] == ["rung", "6", "1", "1"]
    assert [near[name] for name in ("pairs", "wrong", "ties")] == ["4", "1", "0"]
    ends = [float(whole[f"overtaken_{end}"]) for end in ("low", "high")]
    assert ends == pytest.approx([0, 2 / 3], abs=1e-6)  # q alone, p alone
    assert whole["note"] == "of one rung only: single"


def test_a_metric_whose_better_scores_are_lower_loses_the_same(ladder, make_row):
    ladder.cell("falling", "ifgsm", rows=list(ladder_rows(make_row, sign=-1)), higher_is_better=False)
    write_tables([ladder.path], ladder.path)
    found = lines(ladder.path)
    for apart in ("any", "1", "2"):
        one, other = (dict(found[metric, apart, "10"], metric="") for metric in ("blur", "falling"))
        assert one == other


def test_people_order_all_images_that_they_rated(run_folder, make_row):
    scores = {"a": (1, 0.2, 0.45), "b": (2, 0.4, 0.5), "c": (3, 0.3, 0.35)}
    rows = [make_row(name, clear, high, mos=float(mos)) for name, (mos, clear, high) in scores.items()]
    run_folder.cell("blur", "ifgsm", rows=[*rows, make_row("d", 0.1, 0.9)])
    write_tables([run_folder.path], run_folder.path)
    (line,) = lines(run_folder.path).values()
    told = ("truth", "apart", "pairs", "wrong", "ties", "overtaken", "note")
    assert [line[name] for name in told] == ["opinion", "any", "3", "1", "0", "1", "without an opinion: d"]


def test_sets_that_know_no_better_image_and_rows_off_the_leaderboard_have_no_line(ladder, make_row):
    ladder.cell("plain", "ifgsm", [0.1, 0.2], datasets=("other",))
    ladder.cell("short", "ifgsm", rows=list(ladder_rows(make_row)), overrides={"steps": 1})
    write_tables([ladder.path], ladder.path)
    assert {metric for metric, *_ in lines(ladder.path)} == {"blur"}


def test_without_any_such_set_there_is_no_table_and_an_old_one_is_emptied(ladder):
    write_tables([ladder.path], ladder.path)
    ladder.cell("blur", "ifgsm", [0.1, 0.2])
    write_tables([ladder.path], ladder.path)
    assert lines(ladder.path) == {}


def test_a_ladder_of_one_rung_is_named_and_another_metric_is_unharmed(ladder, make_row, tmp_path):
    low = {name: rungs[:1] for name, rungs in LADDER.items()}
    ladder.cell("low", "ifgsm", rows=list(ladder_rows(make_row, low)))
    same = [make_row(name, 0.1, 0.9, dataset="rated", mos=2.0) for name in "ab"]
    ladder.cell("even", "ifgsm", rows=same, datasets=("rated",))
    write_tables([ladder.path], ladder.path)
    found = lines(ladder.path)
    assert found["blur", "any", "10"]["overtaken"] == "0.5"
    for metric, note in {"low": "of one rung only: p, q, single", "even": "no two images have unlike opinions"}.items():
        line = found[metric, "any", "10"]
        assert (line["pairs"], line["overtaken"], line["note"]) == ("0", "", note)
        with pytest.raises(BenchError, match=f"got none \\({note}\\)"):
            write_plot("overtaken", [metric], ladder.path, tmp_path / "none.svg")


def test_tables_from_the_record_cache_are_the_same(ladder):
    write_tables([ladder.path], ladder.path)
    first = (ladder.path / "overtaken.csv").read_bytes()
    assert list((ladder.path / ".work").rglob("scored.records"))
    write_tables([ladder.path], ladder.path)
    assert (ladder.path / "overtaken.csv").read_bytes() == first


def test_the_profile_says_it(ladder):
    ladder.cell("plain", "ifgsm", [0.1, 0.2], datasets=("other",))
    write_tables([ladder.path], ladder.path)
    board = read_board(ladder.path)
    said = {
        name: "\n".join(str(line) for part in ordered(board, [name], None, worse=False) for line in rendered(part))
        for name in ("blur", "plain")
    }
    assert (
        "worse image overtakes a better encoding of its photograph: 0.000 ±0.000 in 1/255, 0.500 ±0.333 in 10/255"
        in said["blur"]
    )
    assert "6 such pairs: 1 in wrong order and 1 in none before any attack; of one rung only: single" in said["blur"]
    assert "overtakes" not in said["plain"]


def test_the_plot_shows_the_table(ladder, make_row, figures, tmp_path):
    ladder.cell("calm", "ifgsm", rows=[*ladder_rows(make_row, {"p": [(0.3, 0.3, 0.3), (0.5, 0.5, 0.5)]})])
    write_tables([ladder.path], ladder.path)
    write_plot("overtaken", [], ladder.path, tmp_path / "all.svg")
    by_budget, by_distance = shown(figures[0])
    assert by_budget["titles"] == ["NR metrics on sample"]
    assert by_distance["titles"] == ["NR metrics on sample, within 10/255"]
    assert [line[3] for line in by_budget["lines"]] == [
        [[0, 0], [1, 0], [10, 0]],
        [[0, 0], [1, 0], [10, 0.5]],
    ]
    assert [line[3] for line in by_distance["lines"]] == [[[1, 0.666667], [2, 0]], [[1, 0]]]
    assert by_budget["texts"] == ["calm", "blur"]
    assert by_distance["ticks"][0] == ["1", "2"]
    with pytest.raises(BenchError, match="no metric of overtaken\\.csv is named 'blurr': did you mean blur"):
        write_plot("overtaken", ["blurr"], ladder.path, tmp_path / "none.svg")
    with pytest.raises(BenchError, match="must hold overtaken\\.csv; got none: run --dataset ladder:CSV"):
        write_plot("overtaken", [], tmp_path, tmp_path / "none.svg")
