"""The cells of one metric at work, one after the other: rows and stamps are written here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psutil
import torch

from metric_robustness.pipeline import places
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.finished import is_finished
from metric_robustness.pipeline.cells.fit import excluded_from_fits
from metric_robustness.pipeline.cells.row import to_csv
from metric_robustness.pipeline.cells.stamp import Probe, Stamp, Status, passed_over_of, stamp_of
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.engine.cell import CellResult, CellRun
from metric_robustness.pipeline.engine.clips.runner import open_runner
from metric_robustness.pipeline.engine.decide import Inputs, rows_to_go_on_from
from metric_robustness.pipeline.engine.device import (
    begin_memory,
    describe,
    make_deterministic,
    peak_memory,
)
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.metric.search import refusals
from metric_robustness.pipeline.engine.probe import probe
from metric_robustness.pipeline.engine.process_state import Restorer
from metric_robustness.pipeline.engine.progress import Event, OnEvent
from metric_robustness.pipeline.engine.saved.write import save_manifest
from metric_robustness.pipeline.engine.universal.patterns import patterns_of
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.files import digest, write_atomically
from metric_robustness.pipeline.store.sync import Sync
from metric_robustness.pipeline.terminal import counted

SLOW = (
    "takes images one by one, which is slower, since several at once failed ({}): let it take a batch, or declare "
    "batch_dependent = True"
)


@dataclass(frozen=True)
class Job:
    """The cells of one metric, and what they need; a worker process gets one."""

    cells: list[Cell]
    inputs: Inputs
    machine: Machine
    preset: str


def run_alone(job: Job, at_once: int, on_event: OnEvent) -> None:
    """Runs the cells of one metric in a worker, which opens the result store itself and shares the cores."""
    if at_once > 1:
        torch.set_num_threads(max(1, (psutil.cpu_count() or 1) // at_once))
    run_metric(job, job.machine.sync(), on_event)


def run_metric(job: Job, sync: Sync, on_event: OnEvent) -> None:
    """Runs the cells of one metric, one after the other; one that fails costs only itself, and is not stamped here.

    What contributed code changes of the process is set back after every unit of work, and told once.

    Raises:
        TransientError: If the machine failed.
        BenchError: If the output folder cannot be written to.
    """
    make_deterministic()
    entry, machine, inputs = job.cells[0].metric, job.machine, job.inputs
    codec = job.cells[0].settings.codec
    restorer = Restorer()
    with suppress(DataError):  # its cells will say so
        entry.load()
    runner = open_runner(entry, machine.out, machine.compute, sync=sync, codec=codec)

    def on_work(what: str, work: int) -> None:
        on_event(Event(entry.name, what, work))

    told: set[str] = set()  # what an author needs to read once

    def keep_state(attack: str) -> None:
        slow = {SLOW.format(runner.slow)} if runner.slow else set()
        for line in [*restorer.changes(), *sorted(slow - told)]:
            on_event(Event(entry.name, attack, 0, "", line))
        told.update(slow)

    keep_state("")
    for cell in job.cells:
        on_work(cell.attack.name, 0)
        on_unit = partial(keep_state, cell.attack.name)
        begin_memory(runner.device)
        try:
            patterns = patterns_of(runner, cell, inputs.train, on_work)
            saving = machine.save_images
            earlier = rows_to_go_on_from(cell, inputs, machine)
            running = CellRun(
                runner, cell, on_work, save_images=saving, patterns=patterns, on_unit=on_unit, earlier=earlier
            )
            result = running.run(inputs.datasets)
        except DataError as error:
            on_unit()
            on_event(Event(entry.name, cell.attack.name, 0, "failed", str(error)))
            continue
        stamp = _finish(runner, cell, job, result)
        on_unit()
        on_event(Event(entry.name, cell.attack.name, 0, "done", _remarks(result, machine), passed_over_of(stamp)))


def _remarks(result: CellResult, machine: Machine) -> str:
    """Returns what a user should know of a cell that is done: what is missing of what was asked for."""
    excluded = sum(map(len, result.excluded.values()))
    found = [f"{counted(excluded, 'image')} excluded"] if excluded else []
    if machine.compute.compiled:
        found += dict.fromkeys(refusals(told) for told in result.searched.values() if refusals(told))
    return "; ".join(found)


def _finish(runner: MetricRunner, cell: Cell, job: Job, result: CellResult) -> Stamp:
    """Writes a finished cell: its images' manifest, its rows, and its stamp, which makes them count and is returned."""
    if job.machine.save_images:
        save_manifest(cell, job.machine.out, job.inputs.datasets, result.rows)
    csv = to_csv(result.rows)
    took = {
        "rows": len(result.rows),
        "sha256": digest(csv.encode()),
        "seconds": result.seconds,
        "purifying": {name: float(f"{seconds:.3g}") for name, seconds in result.purifying.items()},
        "flaws": {variant: dict(flaws) for variant, flaws in result.flaws.items() if flaws},
        "spared": result.spared,
        "searched": result.searched,
        "probes": _probes(runner, cell, job.inputs.datasets),
        "gpu_memory": peak_memory(runner.device),
        "machine": describe(runner.device),
    }
    stamp = stamp_now(cell, "done", "", job, took)
    datasets = [part.model_copy(update={"excluded": result.excluded[part.name]}) for part in stamp.datasets]
    fitted = excluded_from_fits(cell, job.machine.out)
    train = [part.model_copy(update={"excluded": fitted.get(part.name, part.excluded)}) for part in stamp.train]
    stamp = stamp.model_copy(update={"datasets": datasets, "train": train})
    write_cell(cell, job.machine, runner.sync, stamp, csv)
    runner.scratch(f"{cell.label}.jsonl").unlink(missing_ok=True)
    return stamp


def _probes(runner: MetricRunner, cell: Cell, datasets: list[Dataset]) -> dict[str, Probe]:
    """Returns the probes of the metric by data set; it is measured once for all its cells."""
    found = {dataset.name: probe(runner, dataset, cell.distortion) for dataset in datasets}
    return {name: each for name, each in found.items() if each}


def stamp_now(cell: Cell, status: Status, reason: str, job: Job, took: Mapping[str, Any] | None = None) -> Stamp:
    """Returns the stamp of a cell that ends now; `took` are the fields that only a finished cell has."""
    settings = job.inputs.attack_facts.get(cell.attack.name, {"settings": {}})
    about = {"commit": places.commit(), "finished": datetime.now(UTC).isoformat(timespec="seconds")}
    return stamp_of(
        cell,
        status,
        reason,
        datasets=job.inputs.facts,
        train=job.inputs.train_facts(cell.attack),
        preset=job.preset,
        run={"attack_settings": settings, **about, **(took or {})},
    )


def write_cell(cell: Cell, machine: Machine, sync: Sync, stamp: Stamp, csv: str | None = None) -> None:
    """Writes a cell's rows, then its stamp, which makes them count; a cell that gave none keeps its finished rows."""
    path = cell.csv(machine.out)
    if csv is not None or machine.replace or not is_finished(path):
        if csv is None:
            path.unlink(missing_ok=True)
        else:
            write_atomically(path, csv)
        write_atomically(path.with_suffix(".json"), stamp.to_json())
    sync.keep(cell, stamp, csv)
