"""Security curves: the worst case within each budget, and what it comes to."""

import numpy as np
import pytest
from scipy.integrate import trapezoid

from metric_robustness.pipeline.scoring.board.consistency import records
from metric_robustness.pipeline.scoring.board.leaderboard import build
from metric_robustness.pipeline.scoring.read.cells import read_cells
from metric_robustness.pipeline.scoring.scores.curve import curve_of
from metric_robustness.pipeline.scoring.scores.effects import effect_of, pairs_by_image
from metric_robustness.pipeline.scoring.tables.format import budget_with_ends
from metric_robustness.pipeline.scoring.tables.markdown import to_markdown

BUDGETS = (1, 2, 4, 8, 10)


def board(folder):
    return build(records(read_cells([folder.path]), {}))


def section(folder):
    (only,) = board(folder).sections
    return only


def of(folder):
    return {each.metric: each for each in section(folder).standings}


def gain(effect):
    return effect.scores["absolute_gain"]


def gains(curve):
    return {budget: gain(effect) for budget, effect in curve.effects.items()}


def curve_through(by_budget):
    """Returns the curve through gains, (images,) by budget."""
    return curve_of(effects(by_budget))


def effects(by_budget):
    """Returns the effects of gains, (images,) by budget."""
    names = [f"{i}.png" for i in range(len(next(iter(by_budget.values()))))]
    clear = np.full(len(names), 0.2)
    return {budget: effect_of(pairs_by_image(names, names, clear, clear + each)) for budget, each in by_budget.items()}


def first_reached(budgets, heights, share=0.1):
    """Returns where the line through some points first reaches a height, looked for at a million places."""
    x = np.linspace(0, budgets[-1], 1_000_001)
    reached = np.interp(x, budgets, heights) >= share
    return x[reached.argmax()] if reached.any() else np.inf


def test_area_and_smallest_budget_by_hand():
    curve = curve_through({2: np.array([0.02, 0.06]), 4: np.array([0.12, 0.12]), 10: np.array([0.2, 0.28])})
    # Under the line through (0, 0), (2, 0.04), (4, 0.12), (10, 0.24): 0.04 + 0.16 + 1.08, over a width of 10.
    assert curve.area.value == pytest.approx(0.128)
    assert curve.smallest.value == pytest.approx(3.5)  # 0.06 of the 0.08 between 2 and 4


def test_area_and_smallest_budget_agree_with_numpy_and_scipy_in_every_resample():
    random = np.random.default_rng(0)
    steps = random.exponential(0.03, (len(BUDGETS), 12)).cumsum(axis=0)
    known = effects(dict(zip(BUDGETS, steps, strict=True)))
    curve = curve_of(known)
    x = np.array([0, *BUDGETS])
    assert curve.area.value == pytest.approx(trapezoid([0, *steps.mean(axis=1)], x) / 10)
    assert curve.smallest.value == pytest.approx(first_reached(x, [0, *steps.mean(axis=1)]), abs=1e-4)
    replicates = np.stack([np.zeros(2000), *(effect.gains for effect in known.values())])
    areas = np.quantile(trapezoid(replicates, x, axis=0) / 10, [0.025, 0.975])
    assert curve.area[1:] == pytest.approx(tuple(areas))
    assert curve.area.low < curve.area.value < curve.area.high
    found = sorted(first_reached(x, heights) for heights in replicates.T[:200])
    ordered = curve_of({b: _shortened(effect, 200) for b, effect in known.items()}).smallest
    assert ordered[1:] == pytest.approx(tuple(np.quantile(found, [0.025, 0.975], method="nearest")), abs=1e-4)


def _shortened(effect, resamples):
    return effect.__class__(effect.n, effect.scores, effect.intervals, effect.gains[:resamples])


def test_where_nothing_moves_the_score_by_a_tenth_no_budget_suffices():
    curve = curve_through({4: np.array([0.02, 0.03]), 10: np.array([0.06, 0.09])})
    assert curve.smallest == (np.inf, np.inf, np.inf)
    assert budget_with_ends(curve.smallest, 10) == "> 10"


def test_an_interval_may_end_beyond_all_budgets():
    curve = curve_through({10: np.array([0.0, 0.3])})  # a resample may hold the first image alone, or the second
    assert curve.smallest == pytest.approx((20 / 3, 10 / 3, np.inf))
    assert curve.area == pytest.approx((0.075, 0, 0.15))
    assert budget_with_ends(curve.smallest, 10) == "6.7 (3.3 to > 10)"


def test_of_one_clip_the_interval_is_unknown():
    curve = curve_through({4: np.array([0.1]), 10: np.array([0.3])})
    assert curve.smallest == pytest.approx((4, np.nan, np.nan), nan_ok=True)
    assert curve.area == pytest.approx((0.14, np.nan, np.nan), nan_ok=True)
    assert budget_with_ends(curve.smallest, 10) == "4.0"


def test_the_curve_never_falls(run_folder):
    run_folder.curve("blur", {1: [0.3, -0.2], 4: [0.1, 0.2], 8: [-0.5, -0.5], 10: [0.0, 0.6]})
    curve = of(run_folder)["blur"].effects.curve
    assert gains(curve) == pytest.approx({1: 0.15, 4: 0.25, 8: 0.25, 10: 0.45})


def test_its_end_is_the_worst_case_and_ranks_as_it(run_folder):
    run_folder.curve("blur", {4: [0.3, 0.1], 10: [0.2, 0.2]})
    run_folder.cell("blur", "madc", [0.5, 0.0])
    standing = of(run_folder)["blur"]
    assert gain(standing.effects.curve.effects[10]) == gain(standing.effects.worst) == pytest.approx(0.35)


def test_what_counts_within_a_budget_is_the_change_that_was_measured(run_folder, make_row):
    rows = [
        make_row("a.png", 0.1, 0.2, variant="eps=4/255", linf=4 / 255),
        make_row("b.png", 0.1, 0.8, variant="eps=4/255", linf=5 / 255),  # over the budget of which it is said to be
        make_row("a.png", 0.1, 0.6),
        make_row("b.png", 0.1, 0.5, linf=2 / 255),  # so small a change counts within every budget from there on
    ]
    run_folder.cell("blur", "ifgsm", rows=rows)
    curve = of(run_folder)["blur"].effects.curve
    assert gains(curve) == pytest.approx({4: (0.1 + 0.4) / 2, 10: (0.5 + 0.7) / 2})


def test_metrics_rank_within_each_budget(run_folder):
    run_folder.curve("early", {1: [0.3, 0.3], 4: [0.3, 0.3], 10: [0.4, 0.4]})
    run_folder.curve("late", {1: [0.0, 0.1], 4: [0.3, 0.4], 10: [0.8, 0.9]})
    found = of(run_folder)
    assert found["early"].ranks.within == {1: 2, 4: 1, 10: 1}
    assert found["late"].ranks.within == {1: 1, 4: 2, 10: 2}
    assert (found["early"].rank, found["late"].rank) == (1, 2)


def test_where_only_a_smaller_budget_was_run_metrics_rank_within_it_alone(run_folder):
    run_folder.curve("calm", {4: [0.1, 0.2]})
    run_folder.curve("wild", {4: [0.3, 0.2]})
    assert {name: standing.ranks.within for name, standing in of(run_folder).items()} == {
        "calm": {4: 1},
        "wild": {4: 2},
    }
    assert {standing.rank for standing in of(run_folder).values()} == {None}


def test_without_a_budget_that_others_have_there_is_no_curve_but_a_rank(run_folder):
    run_folder.curve("whole", {4: [0.1, 0.1], 8: [0.1, 0.2], 10: [0.3, 0.3]})
    run_folder.curve("part", {8: [0.1, 0.1], 10: [0.2, 0.2]})
    run_folder.cell("none", "ifgsm", [0.4, 0.4])
    found = of(run_folder)
    assert {name: each.rank for name, each in found.items()} == {"part": 1, "whole": 2, "none": 3}
    assert [name for name, each in found.items() if each.effects.curve] == ["whole"]
    assert found["whole"].ranks.within == {4: 1, 8: 1, 10: 1}
    assert found["part"].ranks.within == {}
    assert section(run_folder).budgets == [4, 8, 10]


def test_each_attack_that_goes_on_must_do_so_within_each_budget(run_folder):
    for metric, budgets in (("whole", (4, 10)), ("part", (10,))):
        run_folder.curve(metric, {4: [0.1, 0.1], 10: [0.3, 0.3]})
        run_folder.curve(metric, {budget: [0.2, 0.2] for budget in budgets}, attack="madc")
    assert {name: bool(each.effects.curve) for name, each in of(run_folder).items()} == {"whole": True, "part": False}


def test_without_smaller_budgets_there_is_no_curve(run_folder):
    run_folder.cell("blur", "ifgsm", [0.1, 0.2])
    assert of(run_folder)["blur"].effects.curve is None
    assert section(run_folder).budgets == []
    assert "smaller budgets (" not in to_markdown(board(run_folder))


def set_eps(folder, make_row, eps, linf, overrides=None):
    """Writes what `run --set eps=...` does beside the attack's own run."""
    folder.cell("blur", "ifgsm", [0.1, 0.3])
    changes = {"eps": eps} | (overrides or {})
    variant = "+".join(f"{name}={value}" for name, value in changes.items())
    rows = [make_row(f"{image}.png", 0.4, 0.6, variant=variant, linf=linf) for image in "ab"]
    folder.cell("blur", "ifgsm", label="ifgsm+changed", rows=rows, overrides=changes, settings={"eps": linf})


def test_another_eps_is_another_budget(run_folder, make_row):
    set_eps(run_folder, make_row, "4/255", 4 / 255)
    standing = of(run_folder)["blur"]
    assert gains(standing.effects.curve) == pytest.approx({4: 0.2, 10: 0.25})
    assert standing.rank == 1
    assert board(run_folder).gaps == []


@pytest.mark.parametrize("linf", [10 / 255, 16 / 255])
def test_an_eps_beyond_the_largest_budget_is_none(run_folder, make_row, linf):
    set_eps(run_folder, make_row, "16/255", linf)
    run_folder.curve("blur", {4: [0.1, 0.1], 10: [0.2, 0.2]}, attack="madc")
    standing = of(run_folder)["blur"]
    assert gains(standing.effects.curve) == pytest.approx({4: 0.1, 10: 0.25})
    assert gain(standing.effects.variants["ifgsm:eps=16/255"]) == pytest.approx(0.2)


def test_the_control_within_another_eps_is_not_needed_for_a_curve(run_folder, make_row):
    run_folder.curve("blur", {4: [0.1, 0.1], 10: [0.2, 0.2]})
    run_folder.curve("glow", {4: [0.2, 0.2], 10: [0.3, 0.3]})
    rows = [make_row("a.png", 0.4, 0.8, variant="eps=2/255", linf=2 / 255)]
    run_folder.cell("blur", "noise", label="noise+eps", rows=rows, overrides={"eps": "2/255"})
    assert {name: gains(each.effects.curve).keys() for name, each in of(run_folder).items()} == {
        "blur": {4, 10},
        "glow": {4, 10},
    }


def test_another_eps_and_further_settings_are_off_the_board(run_folder, make_row):
    set_eps(run_folder, make_row, "4/255", 4 / 255, {"steps": "5"})
    assert of(run_folder)["blur"].effects.curve is None
    (gap,) = board(run_folder).gaps
    assert (gap.status, gap.reason) == ("off the leaderboard", "run with --set eps=4/255 --set steps=5")


def test_metrics_without_gradients_stand_apart(run_folder):
    run_folder.cell("smooth", "ifgsm", [0.1, 0.2])
    run_folder.cell("smooth", "square", [0.1, 0.2], access="black")
    run_folder.cell("steps", "square", [0.3, 0.2], access="black", differentiable=False)
    with_gradients, without = board(run_folder).sections
    assert (with_gradients.title, without.title) == ("NR metrics on sample", "NR metrics without gradients on sample")
    assert [each.metric for each in with_gradients.standings] == ["smooth"]
    (standing,) = without.standings
    assert (standing.metric, standing.rank, standing.missing) == ("steps", 1, {})
    assert list(without.attacks) == ["square"]


def test_a_spared_attack_is_no_gap_and_says_so_in_its_cell(run_folder):
    for metric, by in {"blur": 0.1, "glow": 0.3}.items():
        run_folder.curve(metric, {4: [by, by], 10: [by, 2 * by]})
    run_folder.curve("blur", {4: [0.0, 0.1], 10: [0.1, 0.1]}, attack="square", access="black")
    run_folder.spared("glow", "square", access="black")
    found = of(run_folder)
    assert (found["blur"].rank, found["glow"].rank) == (1, 2)
    assert gains(found["glow"].effects.curve) == pytest.approx({4: 0.3, 10: 0.45})
    assert (found["glow"].missing, found["glow"].spared) == ({}, {"square": "gradients lead further"})
    assert board(run_folder).gaps == []
    text = to_markdown(board(run_folder))
    (line,) = (line for line in text.splitlines() if "The glow metric" in line)
    header = next(line for line in text.splitlines() if line.startswith("| rank"))
    cells = dict(zip(header.strip("| ").split(" | "), line.strip("| ").split(" | "), strict=True))
    assert cells["family query"] == cells["square"] == "spared"
    assert "n/a" not in line
    assert "- glow: square: gradients lead further" in text.splitlines()


def test_an_attack_that_all_metrics_are_spared_is_still_named(run_folder):
    run_folder.cell("blur", "ifgsm", [0.1, 0.3])
    run_folder.spared("blur", "square", access="black")
    found = section(run_folder)
    assert list(found.attacks) == ["square", "ifgsm"]
    assert found.standings[0].rank == 1
    assert found.standings[0].absent(["square"]) == "spared"


def test_falls_rank_where_attacks_were_to_lower_scores(run_folder, make_row):
    def cell(metric, fall):
        moves = {"": 0.1, **({"worse": fall} if fall else {})}
        rows = [make_row(name, 0.6, 0.6 + by, variant=v) for v, by in moves.items() for name in ("a.png", "b.png")]
        run_folder.cell(metric, "ifgsm", rows=rows, variants={"worse": {"goal": "worse"}})

    cell("deep", -0.5)
    cell("shallow", -0.2)
    cell("unknown", 0)
    found = of(run_folder)
    assert {name: each.ranks.fall for name, each in found.items()} == {"shallow": 1, "deep": 2, "unknown": None}
    assert found["unknown"].effects.fall is None
    assert found["unknown"].swing is None
    assert found["unknown"].rank
    assert found["deep"].swing.value == pytest.approx(0.6)
    assert "largest fall" in to_markdown(board(run_folder))


def test_without_attacks_that_lower_scores_nothing_ranks_by_falls(run_folder):
    run_folder.cell("blur", "ifgsm", [-0.4, 0.2])
    standing = of(run_folder)["blur"]
    assert (standing.effects.fall, standing.ranks.fall, standing.swing) == (None, None, None)
    assert "largest fall" not in to_markdown(board(run_folder))
