"""Entries, inventories, stored cells and history, of which tests make plans."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.settings import settings_of
from metric_robustness.pipeline.cells.stamp import AttackFacts, DatasetFacts, MetricFacts, Stamp
from metric_robustness.pipeline.ci.estimates import Estimates, Experience
from metric_robustness.pipeline.ci.history import Past
from metric_robustness.pipeline.ci.inventory import Held, Inventory
from metric_robustness.pipeline.ci.packing import ALL_JOBS
from metric_robustness.pipeline.ci.plan import Capacity, Plan, Scope, make_plan
from metric_robustness.pipeline.config import Preset, Runner
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.store import cells as stored

INVENTORY = Inventory(datasets={"sample": Held(digest="0123456789abcdef", images=4)})
TRAINED = Inventory(
    datasets=INVENTORY.datasets,
    train={"coco": Held(digest="c" * 16, images=9), "voc2012": Held(digest="d" * 16, images=9)},
)
PRESET = Preset(variants=False)
PASSES = 31  # over an image, of an attack without a file: those of I-FGSM, a gradient as 3, and a last score
RUNNERS = {"rtx3090": Runner(gpus=2, memory=24), "a6000": Runner(gpus=1, memory=48)}


def metric(name: str, **fields: object) -> Entry:
    known = {"higher_is_better": True, "score_range": (0, 1), "differentiable": True, "gpu_memory": 8, "cost": "light"}
    return Entry(name, "metrics", name, "NR", known | fields, fingerprint=digest(name.encode())[:16])


def attack(name: str, **fields: object) -> Entry:
    known = {"access": "white", "family": "sign"}
    return Entry(name, "attacks", name, "attack", known | fields, fingerprint=digest(name.encode())[:16])


def planned(
    store, metrics, attacks, history=None, *, preset=PRESET, inventory=INVENTORY, most=ALL_JOBS, asked=None
) -> Plan:
    pairs = [(one, other) for one in metrics for other in attacks]
    may_run = {(one.name, other.name) for one, other in pairs} if asked is None else asked
    estimates = Estimates(Experience(history or {}), inventory)
    return make_plan(Scope("smoke", preset, pairs, may_run), inventory, store, estimates, Capacity(RUNNERS, most))


def decisions(plan: Plan) -> dict[str, tuple[str, str]]:
    return {f"{each.cell.metric.name} {each.cell.attack.name}": (each.action, each.reason) for each in plan.cells}


def finish(store, one: Entry, other: Entry, status="done", preset=PRESET) -> Stamp:
    """Puts a cell into the store as a job would."""
    cell = Cell(one, other, INVENTORY.digests, settings_of(preset))
    rows = f"rows of {one.name} {other.name}\n"
    stamp = Stamp(
        status=status,
        reason="" if status == "done" else "it broke",
        metric=MetricFacts(
            name=one.name, title="", kind="NR", higher_is_better=True, score_range=(0, 1), fingerprint=one.fingerprint
        ),
        attack=AttackFacts(
            name=other.name, title="", family="sign", access="white", fingerprint=other.fingerprint, settings={}
        ),
        datasets=[DatasetFacts(name="sample", digest="0123456789abcdef", images=4)],
        settings={},
        preset="smoke",
        key=cell.key,
        sha256=digest(rows.encode()),
        finished="2026-01-01T00:00:00+00:00",
    )
    stored.write_cell(store, cell, stamp, rows if status == "done" else None)
    return stamp


def past(one: Entry, other: Entry, key="", *, seconds=0.0, finished="", passes=4 * PASSES, gpu_memory=0.0):
    known = Past(one.name, other.name, "done", "", passes, seconds, gpu_memory, "", finished, key)
    return {(one.name, other.name): known}


def loaded(text: str) -> dict:
    return yaml.safe_load(text)


ARGUMENTS = {
    "image": "registry.example.com/a/b:1",
    "preset": "smoke",
    "device": "cuda",
    "store": "https://x.example.com/api/v4/projects/7",
}


def validate(*files: Path) -> None:
    told = subprocess.run(
        [
            Path(sys.executable).with_name("check-jsonschema"),
            "--builtin-schema",
            "vendor.gitlab-ci",
            "--data-transform",
            "gitlab-ci",
            *files,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr


HOSTILE = ["x; rm -rf ~", "$(id)", "a/../b", "<script>", "a: b", "a\nb", "", "-x", "`id`", "A"]
