"""What `show` prints for people and for programs."""

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from metric_robustness.pipeline.__main__ import app
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.scoring.tables.board_file import read_board
from metric_robustness.pipeline.scoring.tables.show import chosen, ordered, rendered
from metric_robustness.pipeline.scoring.tables.show_numbers import sparkline
from metric_robustness.pipeline.scoring.tables.write import write_tables


@pytest.fixture
def board(run_folder):
    gains = {"weak": 0.4, "strong": 0.1}
    for metric, by in gains.items():
        run_folder.cell(metric, "ifgsm", [by, by + 0.05, by + 0.02])
        run_folder.cell(metric, "madc", [by / 2] * 3)
        run_folder.cell(metric, "noise", [0.01, -0.01, 0.0])
    run_folder.cell("half", "noise", [0.9, 0.9, 0.9])
    run_folder.without_rows("half", "ifgsm", "failed", "[bold]out of memory")
    run_folder.cell("distance", "ifgsm", [0.1, 0.2, 0.3], kind="FR")
    write_tables([run_folder.path], run_folder.path)
    return read_board(run_folder.path)


@pytest.fixture
def curved(run_folder, make_row):
    """Returns a leaderboard with curves, a spared attack and, of two metrics, falls."""
    run_folder.curve("early", {1: [0.3, 0.3], 4: [0.3, 0.34], 10: [0.4, 0.4]})
    run_folder.curve("late", {1: [0.0, 0.02], 4: [0.02, 0.04], 10: [0.8, 0.9]})
    run_folder.cell("bare", "ifgsm", [0.5, 0.5])
    for metric, fall in {"early": -0.3, "late": -0.1}.items():
        rows = [make_row(f"{image}.png", 0.4, 0.4 + fall - i / 10) for i, image in enumerate("ab")]
        run_folder.cell(metric, "fgsm", rows=rows, settings={"goal": "worse"})
    run_folder.cell("early", "square", [0.1, 0.1], access="black")
    for metric in ("late", "bare"):
        run_folder.spared(metric, "square", "[bold]gradients lead further", access="black")
    run_folder.curve("steps", {4: [0.1, 0.1], 10: [0.2, 0.2]}, attack="square", differentiable=False)
    write_tables([run_folder.path], run_folder.path)
    return read_board(run_folder.path)


def text(board, *names, budget=None, worse=False, width=120):
    console = Console(file=io.StringIO(), width=width)
    for part in ordered(board, names, budget, worse=worse):
        for line in rendered(part):
            console.print(line)
    return console.file.getvalue()


def line_of(told, first):
    return next(line for line in told.splitlines() if line.startswith(first))


def test_the_leaderboard_has_ranks_intervals_and_a_bar_per_attack(board):
    told = text(board)
    strong = next(line for line in told.splitlines() if "strong" in line)
    assert strong.split()[:3] == ["1", "1-1", "strong"]
    assert "0.123 ±0.0" in strong
    assert next(line for line in told.splitlines() if " half " in line).split()[0] == "n/a"
    assert "for these images to show it" in told


def test_a_metric_has_its_gain_under_every_attack_or_why_there_is_none(board):
    told = text(board, "weak")
    assert "rank 2, 2 to 2 in 95 % of the resamples" in told
    assert "100%" in next(line for line in told.splitlines() if line.startswith("ifgsm"))
    assert "[bold]out of memory" in text(board, "half")  # what others wrote is text, not markup


def test_an_attack_has_the_metrics_by_gain(board):
    lines = text(board, "ifgsm").splitlines()
    assert [line.split()[0] for line in lines if "±" in line or "n/a" in line] == ["strong", "weak", "half", "distance"]


def test_two_metrics_stand_side_by_side_with_who_is_above(board):
    told = text(board, "weak", "strong")
    assert "P(weak above strong) = 0.000; the smaller gain is above" in told
    assert "+0.300" in next(line for line in told.splitlines() if line.startswith("ifgsm"))
    assert "cannot be told" in text(board, "half", "strong")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["strnog"], "did you mean strong"),
        (["distance", "weak"], "must be of one kind and data set"),
        (["weak", "ifgsm"], "a metric, an attack or two metrics"),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(board, names, says):
    with pytest.raises(BenchError, match=says) as error:
        chosen(board, names)
    assert "\n" not in str(error.value)


def test_a_folder_without_tables_or_with_others_is_refused(tmp_path):
    with pytest.raises(BenchError, match=r"must hold leaderboard\.json"):
        read_board(tmp_path)
    for content in ("{", "[]", '{"sections": [{"metrics": []}]}'):
        (tmp_path / "leaderboard.json").write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match="write it again"):
            read_board(tmp_path)


def test_a_board_without_curves_is_named_as_of_an_older_version(board, run_folder):
    path = run_folder.path / "leaderboard.json"
    whole = path.read_text(encoding="utf-8")
    for name, of_metric in (("title", False), ("budgets", False), ("curve", True), ("spared", True), ("swing", True)):
        content = json.loads(whole)
        section = content["sections"][0]
        del (section["metrics"][0] if of_metric else section)[name]
        path.write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(DataError, match="of an older one: write it again with run"):
            read_board(run_folder.path)


def test_headings_are_the_titles_of_the_sections(curved):
    told = text(curved)
    assert "NR metrics on sample, absolute gain. Preset demo" in told
    assert "NR metrics without gradients on sample, absolute gain. Preset demo" in told


def test_within_a_budget_metrics_stand_by_what_moves_them_there(curved):
    told = text(curved, budget=4)
    assert told.startswith("NR metrics on sample, absolute gain within 4/255. Preset demo")
    lines = [line.split() for line in told.splitlines()]
    assert [line[:2] for line in lines if line[1] in {"early", "late", "bare"}] == [
        ["1", "late"],
        ["2", "early"],
        ["n/a", "bare"],
    ]
    late = next(line for line in lines if line[1] == "late")
    assert late[2:] == ["0.030", "±0.010", "▁▁▁█", "0.850", "±0.050", "2"]
    assert next(line for line in lines if line[1] == "steps")[2] == "0.100"
    assert "steps" not in text(curved, budget=1)  # whose section has no such budget


def test_within_the_largest_budget_it_is_the_leaderboard_itself(curved):
    assert text(curved, budget=10) == text(curved)


def test_by_falls_the_smallest_is_first_and_the_swing_beside_it(curved):
    told = text(curved, worse=True, width=200)
    assert told.startswith("NR metrics on sample, absolute gain of attacks that lower scores. Preset demo")
    assert "without gradients" not in told
    lines = [line.split() for line in told.splitlines()[2:]]
    assert [line[:3] for line in lines] == [["1", "late", "-0.150"], ["2", "early", "-0.350"], ["n/a", "bare", "n/a"]]
    assert lines[0][-2] == "1.000"  # 0.85 up and 0.15 down


def test_a_profile_has_the_curve_and_the_falls(curved):
    told = text(curved, "late")
    assert line_of(told, "budgets") == "budgets ▁▁▁█ 0.010 in 1/255, 0.030 in 4/255, 0.850 in 10/255"
    # Under the line: 0.005 + 0.06 + 2.64, over a width of 10; 0.1 is 0.07 of the 0.82 between 4 and 10.
    assert line_of(told, "mean over").startswith("mean over budgets 0.271 ±0.0")
    assert "a tenth of the range in 4.5 (" in line_of(told, "mean over")
    assert line_of(told, "largest fall").startswith("largest fall -0.150 ±0.050, rank 1; swing 1.000 ±")
    bare = text(curved, "bare")
    assert "budgets" not in bare
    assert "largest fall" not in bare


def test_what_no_budget_reaches_is_beyond_the_largest(run_folder):
    run_folder.curve("still", {4: [0.01, 0.02], 10: [0.03, 0.03]})
    write_tables([run_folder.path], run_folder.path)
    assert "a tenth of the range in > 10 255ths" in text(read_board(run_folder.path), "still")


def test_a_spared_attack_says_so_with_the_reason(curved):
    told = text(curved, "late")
    assert line_of(told, "square").split() == ["square", "query", "spared", "·"]
    reason = "[bold]gradients lead further"  # what others wrote is text, not markup
    assert line_of(told, "spared") == f"spared: square: {reason}"
    under = text(curved, "square")
    assert line_of(under, "late").split() == ["late", "spared", "·"]
    assert f"spared: late: {reason}" in under.splitlines()
    assert line_of(text(curved, "early", "late"), "square").split() == ["square", "0.100", "±0.000", "spared", "n/a"]


def test_two_metrics_have_a_line_for_each_smaller_budget(curved):
    told = text(curved, "early", "late")
    assert [line.split("/")[0] for line in told.splitlines() if "/255 " in line] == ["within 1", "within 4"]
    assert line_of(told, "within 4/255").split()[2:] == ["0.320", "±0.020", "0.030", "±0.010", "+0.290"]
    assert line_of(text(curved, "early", "bare"), "within 4/255").split()[2:] == ["0.320", "±0.020", "n/a", "n/a"]


@pytest.mark.parametrize(
    ("names", "asked", "says"),
    [
        ([], {"budget": 5}, "must be one that was run, in 255ths; got 5: there are 1, 4, 10"),
        ([], {"budget": 4, "worse": True}, "must each stand alone; got --budget --worse"),
        (["late"], {"budget": 4}, "must each stand alone; got late --budget"),
        (["early", "steps"], {}, "both have gradients or neither"),
    ],
)
def test_what_a_board_with_curves_cannot_show_is_told_in_one_line(curved, names, asked, says):
    with pytest.raises(BenchError, match=says) as error:
        text(curved, *names, **asked)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("asked", "says"), [({"budget": 10}, "smaller budgets; got none"), ({"worse": True}, "lower")])
def test_a_board_without_budgets_or_falls_says_so_in_one_line(board, asked, says):
    with pytest.raises(BenchError, match=says) as error:
        text(board, **asked)
    assert "\n" not in str(error.value)


def test_the_options_reach_programs_as_json(curved, run_folder):
    command = ["show", "--from", str(run_folder.path), "--json"]
    by_budget, by_fall, profile = (
        CliRunner().invoke(app, [*command, *option]) for option in (["--budget", "4"], ["--worse"], ["late"])
    )
    first = json.loads(by_budget.stdout)[0]
    assert (first["budget"], first["within"][0]["metric"], first["within"][0]["rank"]) == (4, "late", 1)
    assert json.loads(by_fall.stdout)[0]["falls"][0]["swing"]["value"] == 1.0
    assert json.loads(profile.stdout)[0]["profile"]["curve"]["worst_cases"]["4"]["absolute_gain"]["value"] == 0.03


def test_bars_grow_with_the_values():
    assert sparkline([0.0, 0.5, 1.0, -3.0, float("nan")], 1.0) == "▁▅█▁·"
    assert sparkline([-1.0], -1.0) == "▁"


def test_piped_it_is_plain_text_and_json_is_the_same_numbers(board, run_folder):
    command = ["show", "weak", "--from", str(run_folder.path)]
    plain, as_json = (CliRunner().invoke(app, [*command, *option]) for option in ([], ["--json"]))
    assert (plain.exit_code, as_json.exit_code) == (0, 0)
    assert "\x1b" not in plain.stdout
    assert "ifgsm" in plain.stdout
    (part,) = json.loads(as_json.stdout)
    (section,) = (each for each in board["sections"] if each["kind"] == "NR")
    assert part["profile"] == next(each for each in section["metrics"] if each["metric"] == "weak")
