"""Which entries a merge request touches, and what the note on it says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from scratch import BRIGHTNESS, Tree

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.ci.changes import Change
from metric_robustness.pipeline.ci.merge_request import read_checks, to_markdown
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.scoring.tables.write import write_tables

HOSTILE = "<img src=x onerror=alert(1)> | `id` [x](javascript:alert(1))"


def git(tree: Tree, *arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    told = subprocess.run(["git", *who, *arguments], cwd=tree.root, check=True, capture_output=True, text=True)
    return told.stdout.strip()


@pytest.fixture
def repository(tree: Tree) -> Tree:
    """Returns a checkout under git with a metric, whose base is not that of the attacks."""
    tree.write("metrics/brightness.py", BRIGHTNESS)
    tree.write("requirements.lock", "pyiqa==0.1.16\n")
    git(tree, "init", "--quiet", "--initial-branch=main")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "Begin")
    return tree


def changed(tree: Tree, since: str = "") -> dict[str, str]:
    told = tree.call("changed", "--since", since or git(tree, "rev-parse", "HEAD"))
    assert told.returncode == 0, told.stderr
    return dict(line.split(": ") for line in told.stdout.splitlines())


def test_nothing_is_touched_by_nothing_and_by_comments(repository):
    assert changed(repository) == {}
    repository.write("metrics/brightness.py", "# Why.\n" + BRIGHTNESS.lstrip() + "\n# More.\n")
    repository.write("README.md", "New.\n")
    assert changed(repository) == {}


def test_new_and_edited_entries_are_touched(repository):
    repository.write("metrics/brightness.py", BRIGHTNESS.replace("(1 + images", "(2 + images"))
    repository.write("metrics/darkness.py", BRIGHTNESS.replace("Brightness", "Darkness"))
    assert changed(repository) == {"metrics brightness": "changed", "metrics darkness": "new"}


def test_an_entry_that_is_removed_or_renamed_is_told_and_neither_checked_nor_run(repository):
    since = git(repository, "rev-parse", "HEAD")
    (repository.root / "metrics" / "brightness.py").unlink()
    assert changed(repository) == {"metrics brightness": "removed"}
    checked = repository.call("check", "--since", since, "--json")
    assert (checked.returncode, checked.stdout) == (0, "")
    told = repository.call("smoke", "--since", since, "--out", repository.root / "smoke")
    assert told.returncode == 0, told.stderr
    assert "| metric brightness | removed | its rows leave the tables |" in told.stdout
    repository.write("metrics/darkness.py", BRIGHTNESS.replace("Brightness", "Darkness"))
    assert changed(repository) == {"metrics brightness": "removed", "metrics darkness": "new"}


def test_an_entry_whose_base_changed_is_touched(repository):
    base = repository.root / "attacks" / "base.py"
    base.write_text(base.read_text() + "\nNEW = 1\n")
    told = changed(repository)
    assert set(told.values()) == {"changed with what it uses"}
    assert "attacks fgsm" in told
    assert "metrics brightness" not in told


def test_another_version_of_a_package_that_holds_the_metric_touches_it(repository):
    repository.write(
        "metrics/wrapped.py", '"""Wrapped."""\n\nimport pyiqa\n' + BRIGHTNESS.lstrip().partition("\n\n")[2]
    )
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Wrap")
    repository.write("requirements.lock", "pyiqa==0.1.17\n")
    assert changed(repository) == {"metrics wrapped": "changed with what it uses"}


def test_the_first_push_of_a_branch_has_nothing_to_compare_with(repository):
    assert changed(repository, "0" * 40) == {}


@pytest.mark.parametrize("since", ["--output=/tmp/x", "x; rm -rf ~", "$(id)", "a/../b", "main", "f" * 40])
def test_what_is_no_commit_is_refused(repository, since):
    told = repository.call("changed", f"--since={since}")
    assert told.returncode == 2
    assert len(told.stderr.strip().splitlines()) == 1
    assert "must be a commit's hash" in told.stderr or "must be in this clone" in told.stderr


def test_a_clone_that_git_does_not_read_is_told_in_its_words(repository, tmp_path):
    since = git(repository, "rev-parse", "HEAD")
    told = repository.call("changed", "--since", since, GIT_TEST_ASSUME_DIFFERENT_OWNER="1", HOME=str(tmp_path))
    assert told.returncode == 2
    (line,) = told.stderr.splitlines()
    assert f"git must read the commits of {repository.root}; it says" in line
    assert "safe.directory" in line
    (repository.root / ".git").rename(tmp_path / "git")
    told = repository.call("changed", "--since", since)
    assert told.returncode == 2
    assert "not a git repository" in told.stderr


def test_a_smoke_run_is_of_what_is_touched_and_ends_in_a_note(repository):
    since = git(repository, "rev-parse", "HEAD")
    repository.write("metrics/darkness.py", BRIGHTNESS.replace("Brightness", "Darkness"))
    for file in (repository.root / "attacks").glob("*.py"):
        if file.stem not in {"__init__", "base", "fgsm", "noise"}:
            file.unlink()
    checks = repository.call("check", "--since", since, "--json")
    assert checks.returncode == 0, checks.stderr
    repository.write("check.jsonl", checks.stdout)
    told = repository.call("smoke", "--since", since, "--checks", "check.jsonl", "--out", "smoke")
    assert told.returncode == 0, told.stderr
    cells = {
        file.relative_to(repository.root / "smoke").as_posix() for file in (repository.root / "smoke").glob("*/*.csv")
    }
    assert cells == {"darkness/fgsm.csv", "darkness/noise.csv"}
    text = (repository.root / "smoke" / "note.md").read_text()
    assert "| metric darkness | new |" in text
    assert "| **darkness** | **" in text
    assert "4 images of sample" in text


def test_nothing_touched_is_a_note_too(repository):
    told = repository.call("smoke", "--since", git(repository, "rev-parse", "HEAD"), "--out", "smoke")
    assert told.returncode == 0, told.stderr
    assert "No metric, attack or defence changes its numbers" in (repository.root / "smoke" / "note.md").read_text()


def test_names_and_reasons_stay_text(tmp_path):
    change = Change(Entry("bad", "metrics", problem=HOSTILE), "new")
    checks = tmp_path / "check.jsonl"
    lines = [
        {"promise": "be finite", "status": "failed", "seen": HOSTILE},
        {"promise": "x", "status": "passed", "seen": ""},
    ]
    checks.write_text(json.dumps({"name": "bad", "checks": lines}) + "\n")
    text = to_markdown([change], read_checks(checks), None, tmp_path / "none.csv")
    assert "<img" not in text
    assert "&lt;img" in text
    assert "\\[x](javascript" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {4}


def test_new_rows_stand_between_their_neighbours(laboratory, photos, tmp_path):
    told = laboratory.call(
        "run", "--metrics", "brightness", "--attacks", "fgsm,noise", "--dataset", photos, "--out", tmp_path / "run"
    )
    assert told.returncode == 0, told.stderr
    board = write_tables([tmp_path / "run"], tmp_path / "tables")
    (section,) = board.sections
    gain = section.standings[0].gain
    known = tmp_path / "leaderboard.csv"
    others = {f"other{index}": gain + (index - 3.5) * 0.1 for index in range(7)}
    lines = [f"NR,{index},{name},{value}" for index, (name, value) in enumerate(others.items(), 1)]
    lines += ["FR,1,of_another_kind,0.1", f"NR,8,brightness,{gain + 1}"]
    known.write_text("kind,rank,metric,worst_case_absolute_gain\n" + "\n".join(lines) + "\n")
    text = to_markdown([Change(Entry("brightness", "metrics"), "changed")], [], board, known)
    table = [
        line.split("|")[1].strip() for line in text.splitlines() if line.endswith(("leaderboard |", "merge request |"))
    ]
    assert table == ["other2", "other3", "**brightness**", "other4", "other5"]


def test_damaged_checks_are_one_line(tmp_path):
    file = tmp_path / "check.jsonl"
    file.write_text("Traceback\n")
    with pytest.raises(DataError, match="must hold what check --json prints"):
        read_checks(file)
    assert read_checks(Path("nothing")) == []
