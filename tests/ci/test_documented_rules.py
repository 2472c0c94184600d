"""What GitLab's documentation says of our pipelines: which jobs run when others fail, and what is shown to all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gitlab_rules import PASSED, jobs_of, pipeline_status, statuses
from planning import ARGUMENTS, loaded

from metric_robustness.pipeline.ci.children import child
from metric_robustness.pipeline.ci.packing import RunnerJob
from metric_robustness.pipeline.places import CODE

MAIN = loaded((CODE / ".gitlab-ci.yml").read_text(encoding="utf-8"))
ON_MAIN = {"CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_REF_PROTECTED": "true"}
KINDS = {
    "schedule": {"CI_PIPELINE_SOURCE": "schedule", **ON_MAIN},
    "by hand": {"CI_PIPELINE_SOURCE": "web", **ON_MAIN},
    "push": {"CI_PIPELINE_SOURCE": "push", **ON_MAIN},
    "merge request": {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1",
        "CI_MERGE_REQUEST_PROJECT_ID": "1",
        "CI_DEFAULT_BRANCH": "main",
    },
    "fork": {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2",
        "CI_MERGE_REQUEST_PROJECT_ID": "1",
        "CI_DEFAULT_BRANCH": "main",
    },
}
FAILING = [
    (kind, name, code)
    for kind, variables in KINDS.items()
    for name, job in jobs_of(MAIN, variables).items()
    for code in (1, 3)
    if job.when != "manual"
]


@pytest.mark.parametrize("code", [1, 3, 75, 137])
def test_a_cell_runs_however_the_jobs_ahead_of_it_end(code):
    cell = RunnerJob("niqe", "generative_uap", 10, 4, "rtx3090", "0" * 32)
    ahead = [replace(cell, attack="", key=""), replace(cell, train="coco"), replace(cell, train="voc2012")]
    jobs = jobs_of(loaded(child([*ahead, cell], **ARGUMENTS)), {})
    (own,) = [name for name, job in jobs.items() if job.stage == 2]
    assert len(jobs[own].needs) == 3
    for failing in (*([name] for name in jobs[own].needs), jobs[own].needs):
        ended = statuses(jobs, dict.fromkeys(failing, code))
        assert ended[own] == "success", ended


@pytest.mark.parametrize(("kind", "name", "code"), FAILING)
def test_what_people_wait_for_is_made_whatever_fails_before(kind, name, code):
    jobs = jobs_of(MAIN, KINDS[kind])
    ended = statuses(jobs, {name: code})
    for shown in {"aggregate", "smoke", "note"} & jobs.keys() - {name}:
        assert ended[shown] in PASSED, (shown, ended)


def test_a_night_is_shown_to_all_and_a_run_by_hand_once_somebody_says_so():
    for kind in ("schedule", "push"):
        jobs = jobs_of(MAIN, KINDS[kind])
        ended = statuses(jobs, {})
        assert (pipeline_status(jobs, ended), ended["pages"]) == ("success", "success")
    jobs = jobs_of(MAIN, KINDS["by hand"])
    ended = statuses(jobs, {})
    assert ended["aggregate"] == "success"  # it has its own artifact
    assert (ended["publish"], ended["pages"]) == ("manual", "waiting")
    assert pipeline_status(jobs, ended) == "blocked"  # so that artifacts of the latest success are not its own


def test_a_night_that_made_tables_prunes_the_store_and_nothing_waits_for_that():
    nightly = jobs_of(MAIN, KINDS["schedule"])
    for kind, variables in KINDS.items():
        assert ("prune" in jobs_of(MAIN, variables)) == (kind == "schedule")
    ended = statuses(nightly, {"prune": 3})
    assert (ended["publish"], ended["prune"], ended["pages"]) == ("success", "allowed", "success")
    assert pipeline_status(nightly, ended) == "success"
    assert statuses(nightly, {"aggregate": 1})["prune"] == "skipped"


def test_no_artifact_is_kept_for_ever():
    described = {**MAIN, **loaded((CODE / "pipeline" / "ci" / "child.yml").read_text(encoding="utf-8"))}
    kept = {name: job.get("artifacts", {}) for name, job in described.items() if isinstance(job, dict)}
    assert "never" not in {artifacts.get("expire_in") for artifacts in kept.values()}
    assert kept["aggregate"]["expire_in"] == "90 days"


def test_only_the_job_that_publishes_is_in_the_environment_of_its_token():
    inside = {name: job["environment"] for name, job in MAIN.items() if isinstance(job, dict) and "environment" in job}
    assert inside == {"publish": {"name": "publish", "action": "access"}}  # access: publishing is no deployment


def test_a_fork_reaches_neither_a_gpu_nor_a_token():
    assert not {"gpu-smoke", "note", "plan", "publish", "prune", "image-build"} & jobs_of(MAIN, KINDS["fork"]).keys()
