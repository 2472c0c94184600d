"""Writes the child pipelines: one job for each cell, each fit, and the clear scores of each metric."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from metric_robustness.pipeline.ci.packing import CPU, RunnerJob
from metric_robustness.pipeline.errors import BenchError

TEMPLATE = Path(__file__).with_name("child.yml")
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")  # a container image's reference
TOKEN = re.compile(r"[a-z][a-z0-9_-]*(\+[a-z][a-z0-9_-]*)*")  # an entry, METRIC+DEFENCE, a preset, a runner's tag
KEY = re.compile(r"[0-9a-f]{32}")
STORE = re.compile(r"(https?://)?[A-Za-z0-9._:/~%+-]+")
SHORTEST, LONGEST = 1, 24  # hours, the limits of the time after which GitLab ends a job
MOST_BYTES = 200_000  # of a child pipeline's file

# The C writer where PyYAML has it: 2,000 jobs take 0.2 s instead of 2 s.
Writer: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(Writer):  # type: ignore[misc]  # which of the two it is, is not known before
    """Puts into quotes what GitLab, unlike PyYAML, reads as a number, such as a key of digits with one e: 12e3."""


NUMBER = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")  # of YAML 1.2
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER, list("-+.0123456789"))


def child(jobs: Sequence[RunnerJob], *, image: str, preset: str, device: str, store: str) -> str:
    """Returns a child pipeline's file; one without jobs holds a job that says so, since GitLab refuses an empty one.

    Args:
        jobs: The jobs.
        image: The container image that they run in.
        preset: The preset that they run.
        device: cpu or cuda.
        store: The result store's address.

    Raises:
        BenchError: If a text would not be safe in YAML or in a shell, two jobs have one name, or the file is too large.
    """
    _require("--image", image, IMAGE)
    _require("--preset", preset, TOKEN)
    _require("--device", device, TOKEN)
    _require("--store", store, STORE)
    text = TEMPLATE.read_text(encoding="utf-8")
    document: dict[str, Any] = {
        "default": {"image": image},
        # The parent uses other names: a variable that it forwards would override one of the same name here.
        "variables": {"PLANNED_PRESET": preset, "PLANNED_DEVICE": device, "PLANNED_STORE": store},
    }
    names = {job.name for job in jobs}
    fits: dict[tuple[str, str], list[str]] = {}
    for job in jobs:
        if job.train:
            fits.setdefault((job.metric, job.attack), []).append(job.name)
    for job in jobs:
        if job.name in document:
            raise BenchError(f"jobs must have different names; got {job.name!r} twice: rename the entry")
        before = {f"calibrate {job.metric}"} & names
        document[job.name] = _job(job, [*before, *fits.get((job.metric, job.attack), [])])
    if not jobs:
        document["nothing to do"] = {"extends": ".nothing"}
    text += "\n" + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000)
    if (size := len(text.encode())) > MOST_BYTES:
        raise BenchError(f"a child pipeline must be at most {MOST_BYTES:,} bytes; got {size:,}: lower MOST_JOBS")
    return text


def _job(job: RunnerJob, before: list[str]) -> dict[str, Any]:
    """Returns a job's description; a cell's job needs those before it: its metric's clear scores, and its patterns."""
    for name in (job.metric, job.attack or job.metric, job.train or job.metric, job.runner):
        _require("a name", name, TOKEN)
    described: dict[str, Any] = {"extends": ".fit" if job.train else ".cell" if job.attack else ".calibrate"}
    if job.runner != CPU:
        described["tags"] = [job.runner]
    hours = min(max(SHORTEST, round(3 * job.seconds / 3600 + 0.5)), LONGEST)
    described["timeout"] = f"{hours}h"
    variables = {"METRIC": job.metric, "ATTACK": job.attack, "TRAIN": job.train, "KEY": job.key}
    if job.attack:
        _require("a key", job.key, KEY)
        if before and not job.train:
            described["needs"] = before
    described["variables"] = {name: value for name, value in variables.items() if value}
    return described


@cache
def _require(what: str, text: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(text) or ".." in text:
        raise BenchError(f"{what} must match {pattern.pattern}; got {text!r}: correct it")
