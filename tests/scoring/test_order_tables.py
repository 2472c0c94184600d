"""The order of images in the tables: order.csv, leaderboard.json and what `show` says of a metric."""

from __future__ import annotations

import csv

import pytest

from metric_robustness.pipeline.scoring.tables.board_file import read_board
from metric_robustness.pipeline.scoring.tables.show import ordered, rendered
from metric_robustness.pipeline.scoring.tables.write import write_tables

CLEAR = [0.1 * i for i in range(1, 9)]  # of eight images: 28 pairs, of neighbours .1 apart


def lines(folder) -> dict[str, dict[str, str]]:
    with (folder / "order.csv").open(newline="") as file:
        return {line["budget"]: line for line in csv.DictReader(file)}


@pytest.fixture
def eight(run_folder, make_row):
    """Returns a folder where budget 1 lifts each image over its neighbour, and 10 over the next one, too."""
    reached = {"eps=1/255": (0.15, 1), "": (0.25, 10)}
    rows = [
        make_row(f"{i}.png", clear, clear + gain, variant=variant, linf=budget / 255)
        for variant, (gain, budget) in reached.items()
        for i, clear in enumerate(CLEAR)
    ]
    run_folder.cell("blur", "ifgsm", rows=rows)
    return run_folder


def test_pairs_flip_within_the_budget_that_was_measured(eight):
    write_tables([eight.path], eight.path)
    found = lines(eight.path)
    assert list(found) == ["1", "10"]
    assert [found[budget]["flipped_one"] for budget in found] == ["0.25", "0.464286"]  # 7 and 13 of 28
    assert {(line["pairs"], line["ties"], line["flipped_both"]) for line in found.values()} == {("28", "0", "")}


def test_attacks_that_lower_scores_flip_pairs_together_with_those_that_raise_them(eight, make_row):
    rows = [make_row(f"{i}.png", clear, clear - 0.1, linf=10 / 255) for i, clear in enumerate(CLEAR)]
    eight.cell("blur", "fgsm", rows=rows, settings={"goal": "worse"})
    write_tables([eight.path], eight.path)
    assert lines(eight.path)["10"]["flipped_one"] == "0.464286"
    assert lines(eight.path)["10"]["flipped_both"] == "0.642857"  # .35 apart: 7 + 6 + 5 of 28
    assert lines(eight.path)["1"]["flipped_both"] == "0.25"  # the fall takes 10/255


def test_the_profile_says_it_and_fewer_than_eight_images_have_no_line(eight):
    eight.cell("few", "ifgsm", [0.1, 0.2, 0.3], datasets=("other",))
    write_tables([eight.path], eight.path)
    assert all(line["metric"] == "blur" for line in lines(eight.path).values())
    board = read_board(eight.path)
    said = {
        name: "\n".join(str(line) for part in ordered(board, [name], None, worse=False) for line in rendered(part))
        for name in ("blur", "few")
    }
    assert "pairs that flip when the worse image is attacked: 25.0% in 1/255, 46.4% in 10/255" in said["blur"]
    assert "order of images" not in said["few"]
