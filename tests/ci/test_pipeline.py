"""The pipeline as GitLab would run it: gitlab-ci-local runs our own .gitlab-ci.yml against a server that speaks GitLab.

The tests of this file are one story on one project: a night, the next, a changed metric, broken ones, merge requests.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from gitlab_server import GitLabServer
from project import Pipeline, Project
from scratch import BRIGHTNESS, ROOT

METRICS = ["gmsd", "psnr"]
ATTACKS = ["fgsm", "mifgsm", "noise"]
CELLS = {f"{metric} {attack}" for metric in METRICS for attack in ATTACKS}
TABLES = {"leaderboard.md", "leaderboard.csv", "leaderboard.json", "scores.csv", "order.csv", "cells.csv"}
SHARDS = {f"shard-{index:02}" for index in range(16)}

# Kills its process once, in the middle of its cell, not of its calibration; scores image by image, to have a middle.
KILLED_ONCE = '''
"""Killed once: brightness whose process dies at its cell's third call, the first time."""

import os
import signal
import sys
from pathlib import Path

from metric_robustness.metrics.base import Images, NoReference, Scores


class KilledOnce(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)
    batch_dependent = True

    def score(self, images: Images) -> Scores:
        calls = Path("{calls}")
        if "calibrate" not in sys.argv:
            with calls.open("a") as file:
                file.write("x")
            if calls.stat().st_size == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        return (images.square() * (1 + images.flip(3))).mean(dim=(1, 2, 3))
'''


@pytest.fixture(scope="module")
def server() -> Iterator[GitLabServer]:
    with GitLabServer(files={"README.md": b"# Benchmark\n", "results/README.md": b"# Results\n"}) as gitlab:
        yield gitlab


@pytest.fixture(scope="module")
def project(client: Path, server: GitLabServer, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Returns the project, its variables set as docs/gitlab.md says, its jobs on the CPU."""
    project = Project.create(client, tmp_path_factory.mktemp("gitlab") / "project", METRICS, ATTACKS)
    project.variables = server.environment | {
        "CI_JOB_TOKEN": server.JOB,
        "CI_DEFAULT_BRANCH": "main",
        "CI_COMMIT_BRANCH": "main",
        "BENCHMARK_IMAGE": "registry.example.com/quality/robustness:1",
        "BENCHMARK_KEEP_EVERY": "0",
        "DEVICE": "cpu",
        "PRESET": "smoke",
    }
    return project


def nightly(project: Project, server: GitLabServer, **variables: str) -> Pipeline:
    """Runs the nightly schedule, then pulls what it committed."""
    pipeline = project.run("schedule", BENCHMARK_PUBLISH_TOKEN=server.API, **variables)
    for path, content in server.files().items():
        if path.startswith("results/"):
            (project.root / path).write_bytes(content)
    if project.git("status", "--porcelain"):
        project.commit("What the night brought [skip ci]")
    return pipeline


def planned(project: Project) -> dict:
    return json.loads((project.artifacts("plan") / "plan" / "plan.json").read_text())


def cells_of(pipeline: Pipeline, result: str = "PASS") -> set[str]:
    """Returns the jobs of the children with this result: names with a blank, without the shard in front."""
    names = {name.rpartition("-> ")[2] for name in pipeline.named(result)}
    return {name for name in names if " " in name and name != "nothing to do"}


def published(server: GitLabServer) -> dict[str, dict[str, str]]:
    """Returns the lines of the committed cells.csv."""
    text = server.files()["results/cells.csv"].decode()
    return {f"{line['metric']} {line['attack']}": line for line in csv.DictReader(io.StringIO(text))}


def test_a_night_runs_every_pair_as_its_own_job_and_commits_once(project, server):
    pipeline = nightly(project, server)
    plan = planned(project)
    assert cells_of(pipeline) == set(plan["jobs"]) == CELLS | {f"calibrate {metric}" for metric in METRICS}
    assert pipeline.named("FAIL") == set(), pipeline.output
    assert {"inventory", "plan", *SHARDS, "aggregate", "publish", "prune", "pages"} <= pipeline.named("PASS")
    assert not {"check", "smoke", "gpu-smoke", "note", "lint", "test"} & pipeline.jobs.keys()

    (commit,) = server.commits
    assert commit.message.endswith("[skip ci]")
    assert {Path(path).name for path in server.files() if path.startswith("results/")} == TABLES | {
        "README.md",
        "speeds.csv",
    }
    history = published(server)
    assert history.keys() == CELLS
    assert {line["status"] for line in history.values()} == {"done"}
    public = project.artifacts("aggregate") / "public"
    for name in TABLES:
        assert (public / name).read_bytes() == server.files()[f"results/{name}"]
    board = json.loads((public / "leaderboard.json").read_text())
    assert {row["metric"] for section in board["sections"] for row in section["metrics"]} == set(METRICS)

    server.put_artifacts({f"public/{file.name}": file.read_bytes() for file in public.iterdir() if file.is_file()})
    told = project.call(
        "fetch", "--raw", "--url", server.url, "--project", server.project_path, GITLAB_TOKEN=server.READ
    )
    assert told.returncode == 0, told.stderr
    fetched = project.root / "leaderboard"
    assert (fetched / "leaderboard.csv").read_bytes() == server.files()["results/leaderboard.csv"]
    rows = {file.relative_to(fetched / "rows").with_suffix("") for file in fetched.glob("rows/*/*.csv")}
    assert {" ".join(path.parts) for path in rows} == CELLS
    shutil.rmtree(fetched)

    children = sorted((project.artifacts("plan") / "plan").glob("child-*.yml"))
    assert len(children) == 16
    assert all(len(yaml.safe_load(file.read_text())) < 200 for file in children)


def test_the_next_night_has_nothing_to_do_and_commits_nothing(project, server):
    before = len(server.commits)
    pipeline = nightly(project, server)
    assert cells_of(pipeline) == set()
    assert planned(project)["jobs"] == []
    assert {"aggregate", "publish"} <= pipeline.named("PASS")
    assert len(server.commits) == before
    assert "main holds these tables" in pipeline.output


def test_only_the_cells_of_an_edited_metric_are_run_and_a_conflict_is_solved(project, server):
    file = project.root / "metrics" / "psnr.py"
    text = file.read_text()
    assert "smallest = 1\n" in text
    file.write_text(text.replace("smallest = 1\n", "smallest = 8\n"))
    comment = project.root / "metrics" / "gmsd.py"
    comment.write_text(comment.read_text() + "\n# A comment changes no number.\n")
    project.commit("Edit a metric, and a comment in another")
    before = len(server.commits)
    server.conflict(1, 400)
    server.conflict(1, 409)
    server.fail(1, 429, method="GET", path="/repository/", headers={"Retry-After": "1"})
    server.fail(2, 502, method="GET", path="/packages/generic/")
    pipeline = nightly(project, server)
    assert cells_of(pipeline) == {"calibrate psnr", *(f"psnr {attack}" for attack in ATTACKS)}
    assert {cell["reason"] for cell in planned(project)["cells"] if cell["action"] == "run"} == {"metric changed"}
    assert pipeline.named("FAIL") == set(), pipeline.output
    assert len(server.commits) == before + 1
    assert not any(fault.times for fault in server.faults)  # all of them happened


def test_a_metric_that_raises_or_is_killed_costs_only_its_cells(project, server, tmp_path_factory):
    calls = tmp_path_factory.mktemp("calls") / "calls"
    broken = BRIGHTNESS.replace("Brightness", "Broken").replace(
        "return (", "raise RuntimeError('no <b>hope</b>')\n        return ("
    )
    (project.root / "metrics" / "broken.py").write_text(broken.lstrip())
    (project.root / "metrics" / "killed_once.py").write_text(KILLED_ONCE.replace("{calls}", str(calls)).lstrip())
    project.commit("Two metrics that fail")
    before = len(server.commits)
    chosen = {"METRICS": "broken,killed_once", "ATTACKS": "fgsm"}
    pipeline = nightly(project, server, **chosen)
    failed = cells_of(pipeline, "FAIL") | cells_of(pipeline, "WARN")
    assert {"broken fgsm", "killed_once fgsm"} <= failed
    assert cells_of(pipeline) & {"broken fgsm", "killed_once fgsm"} == set()
    assert "aggregate" in pipeline.named("PASS")
    assert len(server.commits) == before + 1
    history = published(server)
    assert history["broken fgsm"]["status"] == "failed"
    assert "no <b>hope</b>" in history["broken fgsm"]["reason"]
    assert history["killed_once fgsm"]["reason"].startswith("metric killed_once under attack fgsm was killed, probably")
    assert history["broken noise"]["status"] == "waiting"  # nobody asked for it
    assert {history[cell]["status"] for cell in CELLS} == {"done"}  # and no earlier result is lost
    assert b"<b>hope" not in server.files()["results/leaderboard.md"].replace(b"\\<b>hope", b"")

    nightly(project, server, **chosen)
    assert published(server)["killed_once fgsm"]["status"] == "done"
    assert calls.stat().st_size == 3 + 2 * 3  # the first image, whose row was written, is not attacked anew
    with zipfile.ZipFile(project.artifacts("aggregate") / "public" / "rows.zip") as archive:
        rows = archive.read("killed_once/fgsm.csv").decode().splitlines()
    assert len(rows) == len(set(rows)) == 5
    for name in ("broken", "killed_once"):
        (project.root / "metrics" / f"{name}.py").unlink()
    project.commit("Remove them")


def test_a_universal_attack_is_fitted_in_a_job_of_its_own_before_its_cell(project, server):
    shutil.copy(ROOT / "attacks" / "optimized_uap.py", project.root / "attacks")
    presets = project.root / "pipeline" / "benchmark.yml"
    text = presets.read_text()
    presets.write_text(text.replace("    variants: false\n", "    variants: false\n    train: [sample]\n", 1))
    project.commit("A universal attack, and what it is fitted on")
    chosen = {"METRICS": "psnr", "ATTACKS": "optimized_uap"}
    pipeline = nightly(project, server, **chosen)
    fit = "fit psnr optimized_uap sample"
    assert {fit, "psnr optimized_uap"} <= cells_of(pipeline) & set(planned(project)["jobs"]), pipeline.output
    assert published(server)["psnr optimized_uap"]["status"] == "done"
    with zipfile.ZipFile(project.artifacts("aggregate") / "public" / "rows.zip") as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("psnr/optimized_uap.csv").decode())))
    settings = [(row["train_dataset"], row["amplitude"]) for row in rows]
    assert settings == [("sample", amplitude) for amplitude in ("0.2", "0.4", "0.8") for _ in range(4)]

    file = project.root / "attacks" / "optimized_uap.py"
    project.run("web", "inventory", "plan", **chosen)
    assert planned(project)["jobs"] == []
    file.write_text(file.read_text().replace("lr: float = 0.001", "lr: float = 0.002"))
    project.run("web", "inventory", "plan", **chosen)
    assert planned(project)["jobs"] == [fit, "psnr optimized_uap"]
    file.unlink()
    presets.write_text(text)
    project.commit("Without them")


def merge_request(project: Project, base: str, server: GitLabServer, *, fork: bool = False) -> Pipeline:
    """Runs the pipeline of a merge request; a fork's has no variable of the project."""
    tokens = {} if fork else {"BENCHMARK_NOTE_TOKEN": server.API}
    return project.run(
        "merge_request_event",
        **tokens,
        CI_MERGE_REQUEST_IID="5",
        CI_MERGE_REQUEST_DIFF_BASE_SHA=base,
        CI_MERGE_REQUEST_PROJECT_ID=str(server.project_id),
        CI_MERGE_REQUEST_SOURCE_PROJECT_ID="99" if fork else str(server.project_id),
        CI_COMMIT_BRANCH="",
    )


def test_a_merge_request_checks_and_smokes_what_it_adds_and_has_one_note(project, server):
    base = project.git("rev-parse", "HEAD")
    (project.root / "metrics" / "brightness.py").write_text(BRIGHTNESS.lstrip())
    project.commit("Add a metric")
    commits = len(server.commits)
    pipeline = merge_request(project, base, server)
    assert pipeline.named("FAIL") == set(), pipeline.output
    assert {"lint", "test", "check", "smoke", "note"} <= pipeline.named("PASS")
    assert all(f"made {target} in the checkout" in pipeline.output for target in ("lint", "test"))
    assert not {"plan", "publish", "aggregate", "inventory", *SHARDS} & pipeline.jobs.keys()
    assert "gpu-smoke" not in pipeline.named("PASS")  # by hand only
    rows = {
        path.relative_to(project.artifacts("smoke") / "smoke").as_posix()
        for path in project.artifacts("smoke").rglob("*.csv")
    }
    assert {row for row in rows if "/" in row} == {f"brightness/{attack}.csv" for attack in ATTACKS}
    (note,) = server.notes
    first = note.body
    table = (project.artifacts("smoke") / "smoke" / "note.md").read_text()
    assert "metric brightness" in table
    assert table.strip() in first
    assert "| **brightness** |" in first
    assert len(server.commits) == commits

    (project.root / "metrics" / "brightness.py").write_text(BRIGHTNESS.lstrip().replace("(1 + images", "(3 + images"))
    project.commit("Change it")
    merge_request(project, base, server)
    (updated,) = server.notes
    assert updated.body != first
    assert updated.edits == 1
    assert len(server.commits) == commits


def test_a_fork_reaches_no_gpu_runner_and_no_token_that_writes(project, server):
    base = project.git("rev-parse", "HEAD~2")
    seen, notes = len(server.requests), len(server.notes)
    pipeline = merge_request(project, base, server, fork=True)
    assert {"lint", "test", "check", "smoke"} <= pipeline.named("PASS")
    assert not {"gpu-smoke", "note", "publish", "inventory"} & pipeline.jobs.keys()
    assert "gpu-smoke" not in pipeline.output
    assert (project.artifacts("smoke") / "smoke" / "note.md").is_file()
    assert server.requests[seen:] == []
    assert len(server.notes) == notes


def test_a_push_to_the_default_branch_gathers_and_runs_no_cell(project, server):
    commits = len(server.commits)
    pipeline = project.run("push", CI_COMMIT_BEFORE_SHA=project.git("rev-parse", "HEAD~1"))
    assert {"lint", "test"} <= pipeline.named("PASS")
    assert {"plan", "aggregate", "pages", "check-new"} <= pipeline.named("PASS") | pipeline.named("WARN")
    assert not SHARDS & pipeline.jobs.keys()
    assert "publish" not in pipeline.jobs
    assert len(server.commits) == commits
    waiting = {
        f"{cell['metric']} {cell['attack']}" for cell in planned(project)["cells"] if cell["action"] == "waiting"
    }
    assert waiting == {f"brightness {attack}" for attack in ATTACKS}


@pytest.mark.parametrize("text", ["x; rm -rf ~", "$(id)", "a/../b", "<script>"])
def test_a_hostile_input_is_refused_by_the_plan(project, text):
    pipeline = project.run("web", "inventory", "plan", METRICS=text)
    assert "plan" in pipeline.named("FAIL")
    assert "no metric is named" in pipeline.output
    assert "uid=" not in pipeline.output
