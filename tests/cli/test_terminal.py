"""What commands print where there is a terminal of 80 columns, and what into a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest


def on_a_terminal(tree, *arguments: str) -> list[str]:
    """Returns the lines that a command prints on a terminal of 80 columns."""
    parent, child = pty.openpty()
    environment = tree.environment({"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"})
    command = [sys.executable, "-m", "pipeline", *arguments]
    with subprocess.Popen(command, cwd=tree.root, env=environment, stdout=child, stderr=subprocess.DEVNULL):
        os.close(child)
        found = b""
        try:
            while part := os.read(parent, 1 << 16):
                found += part
        except OSError:  # how Linux says that the other end is closed
            pass
    os.close(parent)
    return [line.rstrip() for line in found.decode().splitlines()]


LONG = '''
"""A title that is far too long for a terminal of eighty columns, as titles of papers are."""

from metric_robustness.metrics.base import Images, NoReference, Scores


class Lengthy(NoReference):
    higher_is_better = False
    score_range = (-1234.5, 6789.25)

    def score(self, images: Images) -> Scores:
        return images.mean(dim=(1, 2, 3))
'''


@pytest.fixture
def lengthy(tree):
    tree.write("metrics/a_name_that_is_rather_long.py", LONG)
    return tree


def test_a_terminal_of_80_columns_cuts_nothing_but_titles(lengthy):
    lines = on_a_terminal(lengthy, "list", "metrics")
    assert lines == [
        "1 metric",
        "name             kind  better  range          verified    state  title",
        "a_name_that_is_  NR    lower   -1234.5 to     unverified  ready  A title that i…",
        "rather_long                    6789.25",
    ]


def test_a_pipe_gets_every_line_whole(lengthy):
    told = lengthy.call("list", "metrics", COLUMNS="80").stdout.splitlines()
    assert told[2].split("  ")[0] == "a_name_that_is_rather_long"
    assert told[2].rstrip().endswith("as titles of papers are")


@pytest.mark.parametrize("what", ["data", "datasets"])
def test_data_sets_are_listed_by_both_names(laboratory, what):
    assert "nips2017" in laboratory.call("list", what).stdout


def test_the_help_has_peoples_commands_first_and_those_of_ci_last(laboratory):
    told = laboratory.call("--help", COLUMNS="80").stdout
    groups = ["Run and look", "Entries of your own", "This machine", "Behind the benchmark"]
    places = [told.index(group) for group in groups]
    assert places == sorted(places)
    assert places[0] < told.index(" run ") < places[1] < told.index(" check ") < places[2] < places[3]
    assert told.index(" gitlab ") > places[3]


def test_the_version_is_that_of_the_project(tree):
    tree.root.joinpath("pyproject.toml").write_text('[project]\nversion = "7.8"\n')
    assert tree.call("--version").stdout == "metric-robustness 7.8\n"


def test_of_several_folders_none_is_chosen_silently(tree):
    for name in ("one", "two"):
        tree.write(f"build/{name}/leaderboard.json", "{}")
    for command in (["show"], ["plot", "heatmap", "--out", "p.pdf"], ["report", "--out", "page"], ["score"]):
        answer = tree.call(*command)
        assert answer.returncode == 2
        assert "there are build/one, build/two: name one with --from" in answer.stderr
