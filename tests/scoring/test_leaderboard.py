"""Leaderboards: the order of metrics, and what they say of missing results."""

import numpy as np
import pytest

from metric_robustness.pipeline.scoring.board.consistency import records
from metric_robustness.pipeline.scoring.board.leaderboard import build
from metric_robustness.pipeline.scoring.read.cells import read_cells
from metric_robustness.pipeline.scoring.scores.effects import pairs_by_image, worst_case


def board(folder, ranges=None):
    return build(records(read_cells([folder.path]), ranges or {}))


def section(folder, **options):
    (only,) = board(folder, **options).sections
    return only


def gain(effect):
    return effect.scores["absolute_gain"]


def test_the_worst_case_takes_for_every_image_the_attack_that_raised_it_most(run_folder):
    run_folder.cell("blur", "fgsm", [0.1, 0.3, -0.2])
    run_folder.cell("blur", "ifgsm", [0.2, 0.1, -0.3])
    run_folder.cell("blur", "madc", [0.0, 0.4, -0.1])
    run_folder.cell("blur", "noise", [0.0, 0.5, -0.4])
    (standing,) = section(run_folder).standings
    assert gain(standing.effects.worst) == pytest.approx((0.2 + 0.5) / 3)
    assert standing.effects.worst_on == {"fgsm": 0, "ifgsm": 1, "madc": 0, "noise": 1}
    assert gain(standing.effects.families["sign"]) == pytest.approx((0.2 + 0.3) / 3)
    assert gain(standing.effects.families["optimised"]) == pytest.approx(0.4 / 3)
    assert "control" not in standing.effects.families


def test_an_image_may_be_left_alone_so_that_no_worst_case_is_below_0(run_folder):
    run_folder.cell("blur", "fgsm", [-0.1, -0.3])
    (standing,) = section(run_folder).standings
    assert (standing.rank, gain(standing.effects.worst), standing.effects.worst_on) == (1, 0, {"fgsm": 0})
    assert gain(standing.effects.attacks["fgsm"]) == pytest.approx(-0.2)


def test_what_counts_is_the_change_that_was_measured_and_not_the_eps(run_folder, make_row):
    run_folder.cell("blur", "ifgsm", [0.1, 0.1, 0.1])
    rows = [
        make_row(image, 0.1, 0.1 + by, train_dataset="COCO", amplitude=amplitude, linf=amplitude / 10)
        for image in ("a.png", "b.png")
        for amplitude, by in ((0.2, 0.3), (0.8, 0.7))
    ]
    run_folder.cell("blur", "uap", rows=rows, settings={"eps": 0.1})
    (standing,) = section(run_folder).standings
    assert gain(standing.effects.worst) == pytest.approx((0.3 + 0.3 + 0.1) / 3)
    assert standing.effects.worst_on == {"ifgsm": 1, "uap": 2}


def test_rows_of_different_attacks_are_never_pooled(run_folder):
    run_folder.cell("blur", "fgsm", [0.1, 0.1])
    run_folder.cell("blur", "ifgsm", [0.2, 0.2])
    (standing,) = section(run_folder).standings
    assert standing.effects.worst.n == 2
    assert standing.effects.worst.scores == standing.effects.attacks["ifgsm"].scores


def test_the_least_moved_metric_is_first(run_folder):
    for metric, by in {"weak": 0.4, "strong": 0.1, "middle": 0.2}.items():
        run_folder.cell(metric, "ifgsm", [by, by])
    assert [(each.rank, each.metric) for each in section(run_folder).standings] == [
        (1, "strong"),
        (2, "middle"),
        (3, "weak"),
    ]


def test_a_measured_range_ranks_before_the_declared_one(run_folder):
    run_folder.cell("blur", "ifgsm", [0.2, 0.2])
    (standing,) = section(run_folder, ranges={"blur": (0.0, 2.0)}).standings
    assert gain(standing.effects.worst) == pytest.approx(0.1)
    assert standing.scale.source == "ranges.csv"


def test_a_metric_that_lacks_an_attack_is_shown_without_a_rank(run_folder):
    run_folder.cell("whole", "ifgsm", [0.3, 0.3])
    run_folder.cell("whole", "madc", [0.2, 0.2])
    run_folder.cell("part", "ifgsm", [0.1, 0.1])
    run_folder.without_rows("part", "madc", "failed", "out of memory")
    run_folder.cell("half", "madc", [0.1, 0.1])
    found = board(run_folder)
    assert [(each.rank, each.metric) for each in found.sections[0].standings] == [
        (1, "whole"),
        (None, "half"),
        (None, "part"),
    ]
    assert [(gap.metric, gap.attack, gap.status, gap.reason) for gap in found.gaps] == [
        ("half", "ifgsm", "missing", "not run"),
        ("part", "madc", "failed", "out of memory"),
    ]


def test_a_metric_of_which_nothing_was_done_is_still_there(run_folder):
    run_folder.cell("blur", "ifgsm")
    run_folder.without_rows("gone", "ifgsm", "skipped", "its weights are missing")
    last = section(run_folder).standings[-1]
    assert (last.metric, last.rank, last.effects.worst) == ("gone", None, None)
    assert last.missing == {"ifgsm": "its weights are missing"}


@pytest.mark.parametrize(
    ("settings", "why"),
    [({"overrides": {"steps": "20"}}, "run with --set steps=20"), ({"dtype": "bfloat16"}, "searched in bfloat16")],
)
def test_other_settings_never_reach_the_leaderboard(run_folder, make_row, settings, why):
    run_folder.cell("blur", "ifgsm", [0.1, 0.1])
    rows = [make_row("a.png", 0.1, 0.9, variant="changed")]
    run_folder.cell("blur", "ifgsm", label="ifgsm+changed", rows=rows, **settings)
    found = board(run_folder)
    (standing,) = found.sections[0].standings
    assert (standing.effects.attacks.keys(), standing.effects.variants) == ({"ifgsm"}, {})
    assert [(gap.attack, gap.status, gap.reason) for gap in found.gaps] == [
        ("ifgsm:changed", "off the leaderboard", why)
    ]


def test_declared_variants_within_the_budget_count_for_the_worst_case(run_folder, make_row):
    rows = [
        make_row("a.png", 0.1, 0.2),
        make_row("a.png", 0.1, 0.5, variant="matched"),
        make_row("a.png", 0.1, 0.9, variant="published", linf=0.2),
        make_row("a.png", 0.1, 0.8, variant="jpeg=none"),
    ]
    run_folder.cell("blur", "ifgsm", rows=rows, variants={"matched": {"k": 2}, "published": {"k": 9}})
    (standing,) = section(run_folder).standings
    assert gain(standing.effects.worst) == pytest.approx(0.4)
    assert gain(standing.effects.variants["ifgsm:published"]) == pytest.approx(0.8)


def test_an_attack_meant_to_lower_scores_is_not_needed_for_a_rank_but_its_rows_count(run_folder):
    run_folder.cell("blur", "ifgsm", [0.1, 0.1])
    run_folder.cell("blur", "madc", [-0.7, 0.3], settings={"goal": "worse"})
    run_folder.cell("glow", "ifgsm", [0.2, 0.4])
    blur, glow = section(run_folder).standings
    assert (blur.rank, glow.rank) == (1, 2)
    assert gain(blur.effects.worst) == pytest.approx((0.1 + 0.3) / 2)
    assert gain(blur.effects.attacks["madc"]) == pytest.approx(-0.2)


def test_the_largest_fall_and_the_whole_swing(run_folder, make_row):
    run_folder.cell("blur", "ifgsm", [0.1, -0.2])
    run_folder.cell("blur", "fgsm", [-0.5, 0.3], settings={"goal": "worse"})
    far = [make_row("a.png", 0.1, -0.9, linf=0.2), make_row("b.png", 0.1, 0.0)]
    run_folder.cell("blur", "madc", rows=far, settings={"eps": 1.0})
    (standing,) = section(run_folder).standings
    assert gain(standing.effects.fall) == pytest.approx((-0.5 - 0.2) / 2)
    assert standing.swing.value == pytest.approx((0.1 + 0.3) / 2 - (-0.5 - 0.2) / 2)
    assert standing.swing.low <= standing.swing.value <= standing.swing.high


def test_universal_patterns_are_scored_per_setting_and_then_averaged(run_folder, make_row):
    rows = [
        make_row(image, clear, clear + by, train_dataset=train, amplitude=amplitude)
        for image, clear in (("a.png", 0.2), ("b.png", 0.4))
        for train, amplitude, by in (("COCO", 0.2, 0.1), ("COCO", 0.8, 0.3), ("VOC", 0.2, -0.2))
    ]
    run_folder.cell("blur", "uap", rows=rows)
    found = records(read_cells([run_folder.path]), {})
    (standing,) = build(found).sections[0].standings
    assert len(found) == 3
    assert standing.effects.attacks["uap"].n == 2
    for name, value in standing.effects.attacks["uap"].scores.items():
        assert value == pytest.approx(sum(each.effect.scores[name] for each in found) / 3), name
    low, high = standing.effects.attacks["uap"].intervals["absolute_gain"]
    assert (low, high) == pytest.approx((0.2 / 3, 0.2 / 3))


def test_kinds_and_data_sets_stand_apart(run_folder, make_row):
    run_folder.cell("blur", "ifgsm", rows=[make_row("a.png", 0.1, 0.2)])
    run_folder.cell("full", "ifgsm", rows=[make_row("a.png", 0.1, 0.2)], kind="FR")
    run_folder.cell("clip", "ifgsm", rows=[make_row("a.png", 0.1, 0.2, dataset="films")], datasets=["films"])
    assert [(part.dataset, part.kind, len(part.standings)) for part in board(run_folder).sections] == [
        ("films", "NR", 1),
        ("sample", "NR", 1),
        ("sample", "FR", 1),
    ]


@pytest.mark.parametrize(
    ("preset", "images", "cite"), [("nightly", 64, True), ("full", 64, True), ("full", 63, False), ("demo", 64, False)]
)
def test_only_enough_images_of_a_serious_preset_may_be_cited(run_folder, make_row, preset, images, cite):
    run_folder.cell(rows=[make_row(f"{i}.png", 0.1, 0.2) for i in range(images)], preset=preset)
    caption = f"Preset {preset}, data set sample, {images} images"
    assert section(run_folder).caption == caption + ("" if cite else ": an illustration, not a ranking to cite")


def test_missing_images_are_flagged_by_name(run_folder, make_row):
    rows = [make_row("a.png", 0.1, 0.2), make_row("b.png", 0.1, float("nan"))]
    run_folder.cell("blur", "ifgsm", rows=rows, asked=4, excluded={"c.png": "truncated"})
    (standing,) = section(run_folder).standings
    assert list(map(str, standing.flags)) == [
        "ifgsm: fewer images than asked: 1 of 4",
        "ifgsm: rows missing: b.png (attacked is nan), c.png (truncated)",
    ]


@pytest.mark.parametrize(
    ("noise", "eps", "flagged"),
    [(0.2, 10 / 255, True), (0.05, 10 / 255, False), (-0.2, 10 / 255, False), (0.2, 4 / 255, False)],
)
def test_an_attack_no_better_than_noise_of_the_same_size_is_flagged(run_folder, noise, eps, flagged):
    run_folder.cell("blur", "fgsm", [-0.1, -0.1])  # a weak attack alone tells nothing of the metric
    run_folder.cell("blur", "ifgsm", [0.1, 0.1])
    run_folder.cell("blur", "noise", [noise, noise], settings={"eps": eps})
    (standing,) = section(run_folder).standings
    says = ["ifgsm: noise of the same eps raises the score as much: 0.200 against 0.100"]
    assert list(map(str, standing.flags)) == (says if flagged else [])


def test_equally_bad_attacks_are_told_apart_by_name():
    same = pairs_by_image(["a"], ["a"], np.array([0.1]), np.array([0.2]))
    assert worst_case([("second", same), ("first", same)])["attack"].tolist() == ["first"]


def test_without_an_attack_within_the_budget_there_is_no_worst_case_and_no_rank(run_folder, make_row):
    rows = [make_row("a.png", 0.1, 0.6, linf=0.25), make_row("b.png", 0.1, 0.8, linf=0.25)]
    run_folder.cell("blur", "madc", rows=rows, settings={"eps": 1.0})
    (standing,) = section(run_folder).standings
    assert (standing.rank, standing.effects.worst) == (None, None)
    assert gain(standing.effects.attacks["madc"]) == pytest.approx(0.6)


def test_attacks_without_a_way_up_are_flagged(run_folder):
    run_folder.cell("blur", "ifgsm", [0.1, 0.3], flaws={"": {"zero gradient": 1}})
    (standing,) = section(run_folder).standings
    assert "ifgsm: zero gradient on 1 of 2 images" in map(str, standing.flags)


def test_an_attack_that_asks_for_scores_only_and_gains_more_is_told(run_folder):
    gains = [0.1 + i / 100 for i in range(12)]
    run_folder.cell("blur", "ifgsm", gains)
    run_folder.cell("blur", "fgsm", [each / 2 for each in gains])
    run_folder.cell("blur", "square", [2 * each for each in gains], access="black")
    run_folder.cell("sound", "ifgsm", gains)
    run_folder.cell("sound", "square", [each - 0.01 for each in gains], access="black")
    flags = {standing.metric: standing.flags for standing in section(run_folder).standings}
    (flag,) = flags["blur"]
    assert (flag.code, flag.attacks) == ("masked_gradients", ("ifgsm",))
    assert flag.text.startswith("square, which asks for scores only, raised the score more: 0.310 against 0.155")
    assert flags["sound"] == []


def test_a_difference_that_the_images_do_not_tell_is_no_flag(run_folder):
    run_folder.cell("blur", "ifgsm", [0.1, 0.1, 0.1, 0.1])
    run_folder.cell("blur", "square", [0.9, -0.2, -0.2, 0.0], access="black")
    assert section(run_folder).standings[0].flags == []


def test_the_gain_over_noise_is_of_the_same_images_and_eps(run_folder):
    run_folder.cell("blur", "ifgsm", [0.3, 0.5])
    run_folder.cell("blur", "madc", [0.3, 0.5], settings={"eps": 1.0})
    run_folder.cell("blur", "noise", [0.1, 0.1, 0.9])
    (standing,) = section(run_folder).standings
    assert list(standing.effects.over_noise) == ["ifgsm"]
    assert standing.effects.over_noise["ifgsm"].value == pytest.approx(0.3)


def test_ranks_that_the_images_tell_apart_are_certain_and_others_are_not(run_folder):
    random = np.random.default_rng(0)
    common = random.normal(0, 0.1, 40)  # images vary alike for all metrics
    for metric, by in {"best": 0.1, "near": 0.3, "twin": 0.301}.items():
        run_folder.cell(metric, "ifgsm", by + common + random.normal(0, 0.01, 40))
    found = section(run_folder)
    intervals = {each.metric: each.ranks.interval for each in found.standings}
    assert intervals["best"] == (1, 1)
    assert intervals["near"] == intervals["twin"] == (2, 3)
    assert found.p_better["best"]["near"] == 1
    assert found.p_better["near"]["twin"] + found.p_better["twin"]["near"] == pytest.approx(1)
    assert 0.002 < found.detectable < 0.02
