"""The command line as a user calls it: what it answers, in one line where the call is wrong, and its exit code."""

from __future__ import annotations

import json

import pytest

RUN = ("run", "--metrics", "brightness", "--attacks", "ifgsm", "--dataset", "sample", "--limit", "1")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("run", "--metrics", "britness", "--out", "{out}"), "no metric is named 'britness': did you mean brightness?"),
        ((*RUN, "--attacks", "ifgms", "--out", "{out}"), "no attack is named 'ifgms': did you mean ifgsm"),
        ((*RUN, "--dataset", "sampel", "--out", "{out}"), "named 'sampel': did you mean sample?"),
        ((*RUN, "--preset", "dmeo", "--out", "{out}"), "no preset is named 'dmeo': did you mean demo?"),
        ((*RUN, "--set", "eps=20", "--out", "{out}"), "ifgsm's eps must be from 0 to 1, in parts of a channel; got 20"),
        ((*RUN, "--set", "stepz=3", "--out", "{out}"), "ifgsm has no setting 'stepz': did you mean step"),
        ((*RUN, "--set", "steps=few", "--out", "{out}"), "ifgsm's steps must be of type int; got 'few'"),
        ((*RUN, "--set", "goal=up", "--out", "{out}"), "ifgsm's goal must be better or worse; got 'up': change it"),
        ((*RUN, "--set", "steps=-3", "--out", "{out}"), "ifgsm must spend 0 queries and gradients or more; got -3"),
        ((*RUN, "--set", "eps=1/0", "--out", "{out}"), "ifgsm's eps must be of type float; got '1/0'"),
        ((*RUN, "--set", "steps", "--out", "{out}"), "--set must be name=value, such as steps=20"),
        ((*RUN, "--device", "cdua", "--out", "{out}"), "--device must be cpu or cuda; got 'cdua'"),
        ((*RUN, "--device", "cuda:99", "--out", "{out}"), "--device cuda:99 is not on this machine"),
        ((*RUN, "--dtype", "float16", "--out", "{out}"), "'float16' is not one of 'float32', 'bfloat16'"),
        ((*RUN, "--limit", "0", "--out", "{out}"), "greater than or equal to 1"),
        ((*RUN, "--jobs", "two", "--out", "{out}"), "--jobs"),
        ((*RUN, "--ouput", "{out}"), "No such option: --ouput"),
        (RUN, "Missing option '--out'"),
        (("runn",), "No such command 'runn'. Did you mean 'run'"),
        (("list", "metric"), "'metric' is not one of 'metrics', 'attacks', 'defences', 'datasets'"),
        (("check", "ifgms"), "no metric, attack or defence is named 'ifgms': did you mean ifgsm"),
        (("check",), "must have either names or --since; got neither"),
        (("new", "metric", "Sharp Ness"), "the name must match [a-z][a-z0-9_]*"),
        (("new", "metric", "class"), "choose another"),
        (("new", "attack", "base"), "choose another"),
        (("new", "metric", "fgsm"), "attacks/fgsm.py is there already"),
        (("score", "{out}/missing"), "{out}/missing must be a run folder or a CSV"),
        (("score", "{out}"), "{out}"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_wrong_call_is_answered_in_one_line_with_what_to_do(laboratory, tmp_path, call, told):
    answer = laboratory.call(*(part.format(out=tmp_path) for part in call))
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: ")
    assert answer.stderr.count("\n") == 1
    assert told.format(out=tmp_path) in answer.stderr
    assert not list(tmp_path.glob("*/*.csv"))


def test_without_a_command_the_help_is_shown(laboratory):
    answer = laboratory.call()
    assert "Usage: python -m pipeline" in answer.stdout
    assert answer.stderr == ""


@pytest.mark.parametrize("command", ["list", "new", "check", "run", "fit", "score"])
def test_the_help_of_a_command_ends_with_an_example(laboratory, command):
    answer = laboratory.call(command, "--help")
    assert answer.returncode == 0
    assert f"Example: python -m pipeline {command}" in answer.stdout


def test_list_tells_kind_direction_range_access_and_needs(laboratory):
    answer = laboratory.call("list")
    assert answer.returncode == 0
    lines = {line.split()[0]: line.split() for line in answer.stdout.splitlines() if line.strip()}
    assert lines["brightness"][:5] == ["brightness", "NR", "higher", "0.0", "to"]
    assert lines["distance"][:3] == ["distance", "FR", "lower"]
    assert lines["noise"][:4] == ["noise", "base", "black", "control"]
    assert [lines[count][1] for count in "40"] == ["metrics", "defences"]
    assert {"26 attacks", "7 data sets"} <= set(answer.stdout.splitlines())


def test_list_filters_and_prints_json(laboratory):
    found = json.loads(laboratory.call("list", "--json").stdout)
    assert {row["name"] for row in found["metrics"]} == {"brightness", "distance", "tally", "tally_too"}
    assert {"sample", "nips2017", "derf_blue_sky", "coco"} <= {row["name"] for row in found["datasets"]}
    distance = json.loads(laboratory.call("list", "metrics", "--filter", "fr", "--json").stdout)
    assert [(row["name"], row["better"], row["range"]) for row in distance] == [("distance", "lower", "0.0 to 0.01")]
    assert laboratory.call("list", "attacks", "--filter", "no such thing").stdout.strip() == "0 attacks"


def test_list_names_an_entry_that_cannot_be_used_and_shows_the_others(tree):
    tree.write("metrics/broken.py", '"""Broken: no class."""\n')
    answer = tree.call("list", "metrics", "--json")
    (row,) = json.loads(answer.stdout)
    assert row["state"].startswith("cannot be used: metrics/broken.py: the file must hold exactly one class")
    assert "fgsm" in tree.call("list", COLUMNS="200").stdout


@pytest.mark.parametrize("kind", ["metric", "attack", "defence"])
def test_a_new_entry_keeps_the_contract_as_it_is_written(tree, kind):
    answer = tree.call("new", kind, "my_idea")
    assert answer.returncode == 0
    assert f"wrote {kind}s/my_idea.py; fill it in, then: python -m pipeline check my_idea" in answer.stdout
    checked = tree.call("check", "my_idea")
    assert checked.returncode == 0, checked.stdout
    assert "✗" not in checked.stdout
    assert f"{kind}s/my_idea.py" in checked.stdout
    again = tree.call("new", kind, "my_idea")
    assert again.returncode == 2


def test_check_tells_what_to_change_and_fails(tree):
    tree.call("new", "metric", "wrong_way")
    file = tree.root / "metrics" / "wrong_way.py"
    file.write_text(file.read_text().replace("higher_is_better = True", "higher_is_better = False"))
    answer = tree.call("check", "wrong_way", "fgsm")
    assert answer.returncode == 3
    assert "write higher_is_better = " in " ".join(answer.stdout.split())
    assert "attacks/fgsm.py" in answer.stdout
    told = [json.loads(line) for line in tree.call("check", "wrong_way", "--json").stdout.splitlines()]
    assert {check["status"] for check in told[0]["checks"]} == {"passed", "failed"}


def test_doctor_tells_versions_data_and_weights(laboratory):
    found = json.loads(laboratory.call("doctor", "--json").stdout)
    assert {"python", "torch", "processor", "memory", "CUDA", "data set sample", "weights"} <= set(found)
    assert found["data set sample"] == "ready"
    answer = laboratory.call("doctor")
    assert answer.returncode == 0
    assert found["torch"] in answer.stdout


def test_a_run_ends_with_the_leaderboard_and_score_reads_it(laboratory, photos, tmp_path):
    out = tmp_path / "out"
    arguments = ["--metrics", "brightness,distance", "--attacks", "fgsm,noise", "--dataset", photos, "--out", out]
    answer = laboratory.call("run", *arguments)
    assert answer.returncode == 0
    assert "brightness" in answer.stdout
    assert answer.stderr.splitlines()[-1] == f"rows and tables are in {out}"
    for scaling in ("fixed", "subset"):
        told = laboratory.call("score", out, "--scaling", scaling, "--json")
        assert told.returncode == 0
        assert "absolute_gain" in told.stdout
        assert json.loads(told.stdout)
    assert laboratory.call("score", out).returncode == 0


def test_the_console_script_is_the_same_program():
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="metric-robustness")
    assert script.value == "metric_robustness.pipeline.__main__:main"


@pytest.mark.parametrize("changed", [("--set", "eps=4/255"), ("--dtype", "bfloat16"), ("--jpeg", "80")])
def test_budgets_are_of_the_usual_settings(laboratory, changed):
    arguments = ["--metrics", "brightness", "--attacks", "adam", "--budgets", "1,4", "--out", "build/unused"]
    told = laboratory.call("run", *arguments, *changed)
    assert told.returncode == 2
    assert told.stderr == f"error: --budgets must be of the usual settings; got {changed[0]} too: leave one out\n"


def test_attack_without_a_search_is_named_where_budgets_are_asked_for(laboratory, photos, tmp_path):
    arguments = ["--metrics", "brightness", "--attacks", "fgsm,apgd", "--dataset", photos, "--limit", "1"]
    told = laboratory.call("run", *arguments, "--budgets", "4", "--out", tmp_path / "out")
    assert told.returncode == 0
    assert "not run within --budgets, for want of a search to go on: fgsm" in told.stderr


def test_budget_beyond_what_a_search_may_change_is_named(laboratory, photos, tmp_path):
    arguments = ["--metrics", "brightness", "--attacks", "rank_swap", "--dataset", photos, "--limit", "1"]
    told = laboratory.call("run", *arguments, "--budgets", "4,10,16,20", "--out", tmp_path / "out")
    reason = "rank_swap goes no further: run it with --set eps=20/255 instead of --budgets"
    assert f"not run within 16/255, 20/255: {reason}" in told.stderr
