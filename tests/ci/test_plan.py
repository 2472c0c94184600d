"""Planning: what is run and why, and what a plan and its history say afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from planning import (
    INVENTORY,
    PASSES,
    PRESET,
    RUNNERS,
    attack,
    decisions,
    finish,
    metric,
    past,
    planned,
    validate,
)
from scratch import BRIGHTNESS

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell, clear_key
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.settings import settings_of
from metric_robustness.pipeline.ci import packing
from metric_robustness.pipeline.ci.estimates import CONTAINER, JOB, LAST, LIGHT
from metric_robustness.pipeline.ci.history import Past, read_history, to_csv
from metric_robustness.pipeline.ci.inventory import Held, Inventory
from metric_robustness.pipeline.ci.packing import SHARDS
from metric_robustness.pipeline.ci.plan_file import read_plan, to_json
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.store.store import Place


def test_what_is_in_the_store_is_not_run_again(store):
    a, b, x, y = metric("a"), metric("b"), attack("x"), attack("y")
    finish(store, a, x)
    finish(store, b, y, status="failed")
    assert decisions(planned(store, [a, b], [x, y])) == {
        "a x": ("done", "up to date"),
        "a y": ("run", "never run"),
        "b x": ("run", "never run"),
        "b y": ("run", "failed last time"),
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a, x: (replace(a, fingerprint="f" * 16), x), "metric changed"),
        (lambda a, x: (a, replace(x, fingerprint="f" * 16)), "attack changed"),
    ],
)
def test_the_reason_is_what_changed_since_the_rows_were_made(store, change, reason):
    a, x = metric("a"), attack("x")
    stamp = finish(store, a, x)
    history = past(a, x, stamp.key, finished="2026-01-01T00:00:00+00:00")
    newer, other = change(a, x)
    assert decisions(planned(store, [newer], [other], history)) == {"a x": ("run", reason)}


def test_other_data_are_a_reason_too(store):
    a, x = metric("a"), attack("x")
    stamp = finish(store, a, x)
    history = past(a, x, stamp.key, finished="2026-01-01")
    other = Inventory(datasets={"sample": Held(digest="f" * 16, images=4)})
    assert decisions(planned(store, [a], [x], history, inventory=other)) == {"a x": ("run", "data or settings changed")}


def test_rows_that_left_the_store_are_computed_again(store):
    a, x = metric("a"), attack("x")
    key = Cell(a, x, INVENTORY.digests, settings_of(PRESET)).key
    plan = planned(store, [a], [x], past(a, x, key, finished="2026-01-01"))
    assert decisions(plan) == {"a x": ("run", "its rows are gone from the store")}


def test_a_damaged_or_foreign_stamp_is_computed_again(store):
    a, x, y = metric("a"), attack("x"), attack("y")
    stamps = [finish(store, a, x), finish(store, a, y)]
    (file,) = store.root.glob(f"cells/*/{stamps[0].key}/stamp.json")
    file.write_bytes(file.read_bytes()[:-1])
    store.write(Place("cells", stamps[1].key, "stamp.json"), stamps[0].to_json().encode())
    told = decisions(planned(store, [a], [x, y]))
    assert told["a x"][0] == told["a y"][0] == "run"
    assert "is damaged" in told["a x"][1]
    assert "is the stamp of another cell" in told["a y"][1]


def test_what_nobody_can_run_is_told_with_its_reason(store):
    broken = Entry("broken", "metrics", problem="metrics/broken.py (line 3): invalid syntax")
    told = decisions(
        planned(store, [broken, metric("flat", differentiable=False), metric("huge", gpu_memory=47)], [attack("x")])
    )
    assert told == {
        "broken x": ("failed", "metrics/broken.py (line 3): invalid syntax"),
        "flat x": ("skipped", "white-box attack on a metric without gradient"),
        "huge x": ("skipped", "needs 47 GB of GPU memory; a job gets 46 on the largest runner"),
    }


def test_the_budget_goes_to_those_not_seen_for_longest(store):
    metrics, x = [metric(name) for name in "abcd"], attack("x")
    dates = {"a": "2026-03-01", "b": "2026-01-01", "c": "2026-02-01"}  # d never
    history = {}
    for one in metrics:
        if one.name in dates:
            history |= past(one, x, "f" * 32, seconds=3540, finished=dates[one.name])
    plan = planned(store, metrics, [x], history, preset=PRESET.model_copy(update={"gpu_hours": 1.5}))
    assert [each.cell.metric.name for each in plan.cells] == ["d", "b", "c", "a"]
    assert [each.action for each in plan.cells] == ["run", "run", "waiting", "waiting"]
    assert plan.cells[-1].reason == "over the 1.5 GPU hours of a pipeline"
    start = CONTAINER + JOB + LIGHT.start
    guessed = 4 * (10 * LIGHT.gradient + LIGHT.trial)  # d
    clear = sum(plan.estimates.calibration(metric).seconds for metric in plan.calibrations)
    assert plan.hours == pytest.approx((2 * start + guessed + 3540 + clear) / 3600)
    assert plan.bases == {LAST: 1, "by nothing measured": 1}


def test_what_failed_waits_behind_all_others(store):
    a, b, x = metric("a"), metric("b"), attack("x")
    finish(store, a, x, status="failed")
    plan = planned(store, [a, b], [x], preset=PRESET.model_copy(update={"gpu_hours": 0.015}))
    assert decisions(plan) == {
        "b x": ("run", "never run"),
        "a x": ("waiting", "over the 0.015 GPU hours of a pipeline"),
    }


def test_what_is_not_asked_for_stays_on_the_tables_and_waits(store):
    a, b, x = metric("a"), metric("b"), attack("x")
    finish(store, b, x)
    plan = planned(store, [a, b], [x], asked=set())
    assert decisions(plan) == {"a x": ("waiting", "never run; not run by this pipeline"), "b x": ("done", "up to date")}
    assert not plan.calibrations


def test_a_pipeline_holds_no_more_jobs_than_it_may(store):
    plan = planned(store, [metric("a"), metric("b")], [attack("x")], most=3)
    assert decisions(plan) == {"a x": ("run", "never run"), "b x": ("waiting", "over the 3 jobs of a pipeline")}


def test_seconds_are_scaled_by_the_passes_and_guessed_from_the_metrics_other_cells(store):
    a, x, y = metric("a"), attack("x"), attack("y")
    plan = planned(store, [a], [x, y], past(a, x, "f" * 32, seconds=100, passes=8 * PASSES, finished="2026-01-01"))
    assert [each.seconds - CONTAINER - JOB - LIGHT.start for each in plan.cells] == pytest.approx([50, 50])
    assert {each.cell.attack.name: each.basis for each in plan.cells} == {"x": LAST, "y": "by the metric's other cells"}


def test_clear_scores_are_a_job_of_their_own_unless_they_are_known(store):
    a, b, x = metric("a"), metric("b"), attack("x")
    store.write(Place("clear", clear_key(a, "0123456789abcdef", NONE), "scores"), b"known")
    plan = planned(store, [a, b], [x])
    assert [each.name for each in plan.calibrations] == ["b"]
    assert [job.name for job in packing.jobs_of(plan, RUNNERS, "cpu")] == ["calibrate b", "a x", "b x"]


def test_a_cell_that_took_less_memory_than_its_metric_declares_may_go_to_small_gpus(store):
    a, x, y = metric("a", gpu_memory=30), attack("x"), attack("y")
    history = past(a, x, "f" * 32, seconds=10, gpu_memory=12.5) | past(a, y, "f" * 32, seconds=10, gpu_memory=44.0)
    plan = planned(store, [a], [x, y], history)
    assert {each.cell.attack.name: each.memory for each in plan.cells} == {"x": 14.5, "y": 30}
    runners = {job.name: job.runner for job in packing.jobs_of(plan, RUNNERS, "cuda")}
    assert runners["a y"] == "a6000"
    assert runners["a x"] == "rtx3090"


def test_a_plan_is_read_as_it_was_written(store, tmp_path):
    plan = planned(store, [metric("a")], [attack("x")])
    file = tmp_path / "plan.json"
    file.write_text(to_json(plan, ["calibrate a", "a x"]))
    read = read_plan(file)
    assert [(each.metric, each.attack, each.action, each.reason) for each in read.cells] == [
        ("a", "x", "run", "never run")
    ]
    assert read.inventory == INVENTORY
    assert read.jobs == ["calibrate a", "a x"]
    file.write_text(file.read_text()[:-10])
    with pytest.raises(DataError, match="must be what `plan --out` wrote"):
        read_plan(file)


def test_history_is_read_as_it_was_written_and_a_damaged_line_is_named(tmp_path):
    file = tmp_path / "cells.csv"
    lines = [
        Past("b", "x", "failed", 'it said "no", twice', 0, 0.0, 0.0, "", "", ""),
        Past("a", "x", "done", "", 4, 12.5, 3.25, "cpu, 2 threads", "2026-01-01T00:00:00+00:00", "0" * 32),
    ]
    file.write_text(to_csv(lines))
    assert read_history(file) == {("a", "x"): lines[1], ("b", "x"): lines[0]}
    for damage in ("0" * 32 + "/..", "0"):
        file.write_text(to_csv(lines).replace("0" * 32, damage))
        with pytest.raises(DataError, match="line 2"):
            read_history(file)


WITHOUT_TORCH = """
import sys
for name in ("torch", "torchvision", "pyiqa", "pandas", "scipy"):
    sys.modules[name] = None
sys.argv = ["pipeline", *sys.argv[1:]]
from metric_robustness.pipeline.__main__ import main
main()
"""


def call(tree, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)],
        cwd=tree.root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_planning_needs_no_torch_and_executes_no_entry(tree):
    tree.write(
        "metrics/bomb.py",
        '''
        """Bomb: executed, it would end the plan."""
        from metric_robustness.metrics.base import Images, NoReference, Scores
        raise SystemExit("executed")
        class Bomb(NoReference):
            higher_is_better = True
            score_range = (0, 1)
            def score(self, images: Images) -> Scores:
                return images.mean(dim=(1, 2, 3))
    ''',
    )
    tree.write("metrics/$(id).py", '"""Hostile."""')
    told = call(tree, "plan", "--preset", "smoke", "--device", "cpu", "--store", "store", "--out", "plan")
    assert told.returncode == 0, told.stderr
    assert "bomb fgsm: run, never run" in told.stdout
    assert "$(id) fgsm: failed, metrics/$(id).py: an entry's name must match" in told.stdout
    plan = json.loads((tree.root / "plan" / "plan.json").read_text())
    assert {"bomb fgsm", "calibrate bomb"} <= set(plan["jobs"])
    assert not [name for name in plan["jobs"] if "$" in name]
    files = sorted((tree.root / "plan").glob("child-*.yml"))
    assert len(files) == SHARDS
    validate(*files)
    assert "$(id)" not in "".join(file.read_text() for file in files)


def test_a_dry_run_shows_and_writes_nothing(tree):
    tree.write("metrics/bright.py", BRIGHTNESS)
    told = call(
        tree, "plan", "--preset", "smoke", "--metrics", "bright", "--store", "store", "--out", "plan", "--dry-run"
    )
    assert told.returncode == 0, told.stderr
    assert "never run" in told.stdout
    assert "on rtx3090" in told.stdout
    assert not (tree.root / "plan").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--preset", "smok"), "did you mean smoke"),
        (("--preset", "smoke", "--metrics", "x; rm -rf ~"), "no metric is named 'x; rm -rf ~'"),
        (("--preset", "smoke", "--attacks", "fgms"), "did you mean fgsm"),
        (("--preset", "smoke", "--device", "tpu"), "--device must be cpu or cuda"),
        (("--preset", "nightly"), "data set nips2017 must lie in"),
        (("--preset", "smoke", "--data", "nothing.json"), "must be what `inventory --out` wrote"),
        (("--preset", "smoke", "--store", "ftp://x"), "--store must be a folder or"),
        (("--preset", "smoke", "--image", "a b"), "--image must match"),
    ],
)
def test_a_mistake_is_one_line(tree, arguments, message):
    told = call(tree, "plan", "--out", "plan", *arguments)
    assert told.returncode in {2, 3}
    assert message in told.stderr
    assert "Traceback" not in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1
    assert not (tree.root / "plan").exists()
