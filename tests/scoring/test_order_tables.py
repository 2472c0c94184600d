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


@pytest.fixture
def swapped(eight, make_row):
    """Returns the same with an attack on the order: in 1 neighbours change places, in 10 all is turned round."""
    neighbours = [CLEAR[i ^ 1] for i in range(8)]
    rows = [
        make_row(f"{i}.png", clear, after[i], variant=variant, linf=budget / 255, mos=float(i))
        for variant, budget, after in (("eps=1/255", 1, neighbours), ("", 10, CLEAR[::-1]))
        for i, clear in enumerate(CLEAR)
    ]
    eight.cell("blur", "rank_swap", rows=rows)
    return eight


def test_an_attack_on_the_order_has_columns_of_its_own(swapped):
    write_tables([swapped.path], swapped.path)
    found = lines(swapped.path)
    assert [found[budget]["swap_flipped"] for budget in ("1", "10")] == ["0.142857", "1"]  # 4 of 28
    srocc = [float(found[budget]["swap_srocc"]) for budget in ("1", "10")]
    assert srocc == [pytest.approx(1 - 6 * 8 / (8 * 63), rel=1e-5), pytest.approx(-1)]
    assert [float(found[budget]["people_before"]) for budget in ("1", "10")] == [pytest.approx(1), pytest.approx(1)]
    assert [float(found[budget]["people_after"]) for budget in ("1", "10")] == pytest.approx(srocc)


def test_what_a_smaller_budget_allows_counts_within_a_larger_one(eight, make_row):
    rows = [
        make_row(f"{i}.png", clear, after, variant=variant, linf=budget / 255)
        for variant, budget, reached in (("eps=1/255", 1, CLEAR[::-1]), ("", 10, CLEAR))
        for i, (clear, after) in enumerate(zip(CLEAR, reached, strict=True))
    ]
    eight.cell("blur", "rank_swap", rows=rows)
    write_tables([eight.path], eight.path)
    assert [(line["swap_flipped"], line["swap_srocc"]) for line in lines(eight.path).values()] == [("1", "-1")] * 2


def test_without_one_the_columns_are_empty_and_the_leaderboard_has_none(eight):
    write_tables([eight.path], eight.path)
    swap = ("swap_flipped", "swap_srocc", "people_before", "people_after")
    assert {line[name] for line in lines(eight.path).values() for name in swap} == {""}
    assert "swap" not in (eight.path / "leaderboard.json").read_text(encoding="utf-8")


def test_no_metric_must_have_it_to_be_ranked(swapped, make_row):
    rows = [make_row(f"{i}.png", clear, clear + 0.5, linf=10 / 255) for i, clear in enumerate(CLEAR)]
    swapped.cell("sharp", "ifgsm", rows=rows)
    write_tables([swapped.path], swapped.path)
    (section,) = read_board(swapped.path)["sections"]
    assert {metric["metric"]: metric["rank"] for metric in section["metrics"]} == {"blur": 1, "sharp": 2}


def test_an_attack_with_smaller_budgets_alone_has_a_line_for_each(run_folder, make_row):
    rows = [
        make_row(f"{i}.png", clear, CLEAR[-1 - i], variant=variant, linf=budget / 255)
        for variant, budget in (("eps=2/255", 2), ("eps=4/255", 4), ("steps=9", 4))
        for i, clear in enumerate(CLEAR)
    ]
    run_folder.cell("blur", "rank_swap", rows=rows)
    write_tables([run_folder.path], run_folder.path)
    assert {budget: line["swap_srocc"] for budget, line in lines(run_folder.path).items()} == {
        "2": "-1",
        "4": "-1",
        "10": "",
    }


def test_the_profile_says_what_is_left_of_the_order(swapped):
    write_tables([swapped.path], swapped.path)
    parts = ordered(read_board(swapped.path), ["blur"], None, worse=False)
    said = "\n".join(str(line) for part in parts for line in rendered(part))
    assert "order of images attacked as a set: pairs that flip: 14.3% in 1/255, 100.0% in 10/255" in said
    assert "rank correlation with the clear scores: 0.90 in 1/255, -1.00 in 10/255" in said
    assert "rank correlation with people: 1.00 before, 0.90 in 1/255, -1.00 in 10/255" in said
    assert "no order to change" not in said


def test_the_profile_counts_ties(run_folder, make_row):
    tied = [*CLEAR[:7], CLEAR[0]]
    rows = [make_row(f"{i}.png", clear, 1 - clear, linf=10 / 255) for i, clear in enumerate(tied)]
    run_folder.cell("blur", "rank_swap", rows=rows)
    write_tables([run_folder.path], run_folder.path)
    parts = ordered(read_board(run_folder.path), ["blur"], None, worse=False)
    said = "\n".join(str(line) for part in parts for line in rendered(part))
    assert "pairs of images with the same clear score, which have no order to change: 1" in said
