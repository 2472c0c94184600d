"""What `show` prints for people and for programs."""

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from metric_robustness.pipeline.__main__ import app
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.scoring.tables.show import chosen, read_board, rendered, sparkline
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


def text(board, *names, width=120):
    console = Console(file=io.StringIO(), width=width)
    for part in chosen(board, names):
        for line in rendered(part):
            console.print(line)
    return console.file.getvalue()


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
