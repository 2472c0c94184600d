"""Jobs: where they run, and the files that describe them to GitLab."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from planning import (
    ARGUMENTS,
    HOSTILE,
    RUNNERS,
    attack,
    loaded,
    metric,
    planned,
    validate,
)

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.ci import packing
from metric_robustness.pipeline.ci.children import MOST_BYTES, child
from metric_robustness.pipeline.ci.packing import ALL_JOBS, MOST_JOBS, SHARDS, RunnerJob
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.places import CODE
from metric_robustness.pipeline.store.store import FolderStore


def test_a_job_that_needs_much_memory_goes_to_the_large_gpus():
    jobs = [RunnerJob("small", "x", 10, 8), RunnerJob("large", "x", 10, 23)]
    assert {job.metric: job.runner for job in packing.assign(jobs, RUNNERS)}["large"] == "a6000"


@given(st.lists(st.tuples(st.floats(1, 1e5), st.integers(1, 46)), max_size=60))
def test_packing_is_near_the_best_makespan(lengths):
    jobs = [RunnerJob(f"m{index}", "x", seconds, memory) for index, (seconds, memory) in enumerate(lengths)]
    assigned = packing.assign(jobs, RUNNERS)
    assert sorted(job.metric for job in assigned) == sorted(job.metric for job in jobs)
    assert all(job.memory <= RUNNERS[job.runner].memory - 2 for job in assigned)
    total = sum(seconds for seconds, _ in lengths)
    forced = sum(seconds for seconds, memory in lengths if memory > 22)
    longest = max((seconds for seconds, _ in lengths), default=0)
    bound = max(total / 3, forced, longest)  # no schedule is shorter
    for tag, runner in RUNNERS.items():
        load = sum(job.seconds for job in assigned if job.runner == tag)
        assert load / runner.gpus <= 2 * bound + longest


@given(st.lists(st.integers(1, 60), max_size=60))
def test_children_hold_every_job_once_and_no_more_than_they_may(sizes):
    jobs = [
        RunnerJob(f"m{index}", f"a{number}" if number else "", 1, 1)
        for index, size in enumerate(sizes)
        for number in range(size)
    ]
    jobs = jobs[:ALL_JOBS]
    children = packing.shard(jobs)
    assert len(children) == SHARDS
    assert sorted(job.name for part in children for job in part) == sorted(job.name for job in jobs)
    assert max(map(len, children)) <= MOST_JOBS


@pytest.mark.slow
def test_two_thousand_cells_fit_and_every_file_is_what_gitlab_takes(tmp_path):
    metrics = [metric(f"metric_with_a_long_name_{index}") for index in range(100)]
    attacks = [attack(f"attack_with_a_long_name_{index}") for index in range(20)]
    plan = planned(FolderStore(tmp_path / "store"), metrics, attacks)
    jobs = packing.jobs_of(plan, RUNNERS, "cuda")
    assert len(jobs) == 2100
    files = []
    for index, part in enumerate(packing.shard(jobs)):
        text = child(part, **ARGUMENTS)
        document = loaded(text)
        described = {name: job for name, job in document.items() if " " in name}
        assert len(described) == len(part) <= 200
        assert len(text.encode()) <= MOST_BYTES
        for name, job in described.items():
            assert set(job.get("needs", [])) <= described.keys()
            assert len(job.get("needs", [])) <= 50
            assert job["tags"] in (["rtx3090"], ["a6000"])
            assert job["extends"].lstrip(".") in {"cell", "calibrate"}
            assert name == " ".join(filter(None, (job["variables"]["METRIC"], job["variables"].get("ATTACK"))))[
                -len(name) :
            ] or name.startswith("calibrate ")
        files.append(tmp_path / f"child-{index:02}.yml")
        files[-1].write_text(text)
    names = [name for file in files for name in loaded(file.read_text()) if " " in name]
    assert len(names) == len(set(names)) == 2100
    assert sum(file.stat().st_size for file in files) < 5_000_000  # of the archive, even before it is compressed
    validate(*files)


def test_the_pipeline_itself_is_valid_and_names_no_entry():
    file = CODE / ".gitlab-ci.yml"
    validate(file)
    text = file.read_text(encoding="utf-8")
    words = set(text.replace('"', " ").replace(",", " ").split())
    assert not words & {*lookup.entries("metrics"), *lookup.entries("attacks")}
    document = loaded(text)
    triggers = [job["trigger"]["include"][0]["artifact"] for job in document.values() if "trigger" in job]
    assert triggers == [f"plan/child-{index:02}.yml" for index in range(SHARDS)]
    jobs = {
        name: job for name, job in document.items() if isinstance(job, dict) and ("script" in job or "trigger" in job)
    }
    stages = {job.get("stage") or document[job["extends"]]["stage"] for job in jobs.values()}
    assert stages <= set(document["stages"])


def test_our_own_tests_run_on_any_runner_and_have_no_token():
    document = loaded((CODE / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    shared = document[".own-tests"]
    assert {rule["if"] for rule in shared["rules"]} == {
        '$CI_PIPELINE_SOURCE == "merge_request_event"',
        '$CI_PIPELINE_SOURCE == "push"',
    }
    for target in ("lint", "test"):
        job = shared | document[target]
        assert job["script"] == [f"make {target}"]
        assert job["needs"] == []  # neither the job image nor its token
        assert not {"tags", "id_tokens", "secrets"} & job.keys()
        assert "$" not in job["image"]


def test_a_part_without_jobs_is_a_valid_child_too(tmp_path):
    file = tmp_path / "child.yml"
    file.write_text(child([], **ARGUMENTS))
    validate(file)
    assert loaded(file.read_text())["nothing to do"] == {"extends": ".nothing"}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("where", ["metric", "attack", "runner", "key"])
def test_a_hostile_name_never_becomes_yaml(name, where):
    job = replace(RunnerJob("good", "fine", 1, 1, "rtx3090", "0" * 32), **{where: name})
    if where == "attack" and name == "":
        return  # a job without an attack is a calibration
    with pytest.raises(BenchError, match="must match"):
        child([job], **ARGUMENTS)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in {"A", "-x"}])
@pytest.mark.parametrize("where", ["image", "preset", "device", "store"])
def test_a_hostile_argument_never_becomes_yaml(name, where):
    with pytest.raises(BenchError, match="must match"):
        child([], **ARGUMENTS | {where: name})


@pytest.mark.parametrize("key", ["1234567e" + "0" * 23 + "1", "0" * 32, "0e" + "0" * 30, "1" * 32])
def test_a_key_of_digits_stays_a_text_where_numbers_have_exponents(key):
    text = child([RunnerJob("good", "fine", 1, 1, key=key)], **ARGUMENTS)
    node = yaml.safe_load(text)["good fine"]["variables"]["KEY"]
    assert node == key
    (line,) = (line.strip() for line in text.splitlines() if line.strip().startswith("KEY:"))
    assert line == f"KEY: '{key}'"  # YAML 1.2 and GitLab's reader, which PyYAML is not, take 12e3 for a number


def test_a_name_used_twice_is_refused():
    with pytest.raises(BenchError, match="different names"):
        child([RunnerJob("a", "x", 1, 1, key="0" * 32)] * 2, **ARGUMENTS)
