"""Runs many cells on this machine: decides which, runs them metric by metric, and writes rows and stamps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from metric_robustness.pipeline import tokens
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.row import to_csv
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import Probe, Stamp, Status, stamp_of
from metric_robustness.pipeline.data.codecs import parse as parse_codec
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.engine.attack.settings import attack_settings
from metric_robustness.pipeline.engine.cell import CellResult, CellRun
from metric_robustness.pipeline.engine.clips.runner import open_runner
from metric_robustness.pipeline.engine.decide import (
    Inputs,
    cells_of,
    decide,
    open_inputs,
    require_key,
    require_same_data,
    work_ahead,
)
from metric_robustness.pipeline.engine.device import (
    begin_memory,
    commit,
    describe,
    make_deterministic,
    open_device,
    peak_memory,
)
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.probe import probe
from metric_robustness.pipeline.engine.progress import Event, Listener, OnEvent, Summary
from metric_robustness.pipeline.engine.saved.write import require_names, save_manifest
from metric_robustness.pipeline.engine.selection import Selection
from metric_robustness.pipeline.engine.universal.patterns import patterns_of
from metric_robustness.pipeline.engine.workers import in_processes
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.files import digest, folder_lock, write_atomically
from metric_robustness.pipeline.store.sync import Sync
from metric_robustness.pipeline.terminal import counted


def run(selection: Selection, settings: Settings, machine: Machine, listener: Listener, *, key: str = "") -> Summary:
    """Runs every pair of the selected metrics and attacks that is not done yet.

    Args:
        selection: What to run.
        settings: What the rows depend on besides code and data.
        machine: Where the run computes and writes.
        listener: Follows the run.
        key: What the one cell's key must be; empty: anything.

    Raises:
        BenchError: If a name, a setting or the device does not exist; no cell has run then.
        DataError: If the data cannot be used.
        TransientError: If the machine failed; a second run continues from what was finished.
    """
    metrics = [lookup.find("metrics", name) for name in selection.metrics]
    open_device(machine.device)
    parse_codec(settings.codec)
    sync = machine.sync()
    with folder_lock(machine.out):
        inputs = open_inputs(selection, settings)
        if machine.save_images:
            require_names(inputs.datasets)
        cells = cells_of(metrics, inputs, settings)
        require_same_data(cells, machine.out)
        require_key(cells, key)
        summary = Summary(excluded={image: why for each in inputs.datasets for image, why in each.excluded.items()})
        jobs: dict[str, Job] = {}
        for cell in cells:
            job = jobs.setdefault(cell.metric.name, Job([], inputs, machine, selection.preset))
            action, reason = decide(cell, inputs, machine, sync)
            if action == "run":
                job.cells.append(cell)
                continue
            summary.add(cell, action, reason)
            if action != "done":
                write_cell(cell, machine, sync, _stamp(cell, action, reason, job))
        todo = [job for job in jobs.values() if job.cells]
        ahead = [cell for job in todo for cell in job.cells]
        listener.begin(work_ahead(ahead, inputs), len(ahead), summary.statuses["done"])
        by_name = {(cell.metric.name, cell.attack.name): cell for cell in ahead}

        def on_event(event: Event) -> None:
            listener.on_event(event)
            if event.status:
                summary.add(by_name[event.metric, event.what], event.status, event.reason)

        if machine.jobs == 1 or len(todo) <= 1:
            for job in todo:
                run_metric(job, sync, on_event)
        else:
            in_processes([partial(run_alone, job, tokens.hide()) for job in todo], machine.jobs, on_event)
    return summary


@dataclass(frozen=True)
class Job:
    """The cells of one metric, and what they need; a worker process gets one."""

    cells: list[Cell]
    inputs: Inputs
    machine: Machine
    preset: str


def run_alone(job: Job, hidden: dict[str, str], on_event: OnEvent) -> None:
    """Runs the cells of one metric in a process of its own, which opens the result store itself, with our token."""
    tokens.hide(hidden)
    run_metric(job, job.machine.sync(), on_event)


def run_metric(job: Job, sync: Sync, on_event: OnEvent) -> None:
    """Runs the cells of one metric, one after the other; one that fails costs only itself.

    Raises:
        TransientError: If the machine failed.
        BenchError: If the output folder cannot be written to.
    """
    make_deterministic()
    entry, machine, inputs = job.cells[0].metric, job.machine, job.inputs
    device, codec = open_device(machine.device), job.cells[0].settings.codec
    runner = open_runner(entry, machine.out, device, machine.batch, sync=sync, codec=codec)

    def on_work(what: str, work: int) -> None:
        on_event(Event(entry.name, what, work))

    for cell in job.cells:
        begin_memory(runner.device)
        try:
            patterns = patterns_of(runner, cell, inputs.train, on_work)
            running = CellRun(runner, cell, on_work, save_images=machine.save_images, patterns=patterns)
            result = running.run(inputs.datasets)
        except DataError as error:
            write_cell(cell, machine, sync, _stamp(cell, "failed", str(error), job))
            on_event(Event(entry.name, cell.attack.name, 0, "failed", str(error)))
            continue
        _finish(runner, cell, job, result)
        excluded = sum(map(len, result.excluded.values()))
        on_event(
            Event(entry.name, cell.attack.name, 0, "done", f"{counted(excluded, 'image')} excluded" if excluded else "")
        )


def _finish(runner: MetricRunner, cell: Cell, job: Job, result: CellResult) -> None:
    """Writes a finished cell: the manifest of its images, its rows, and its stamp, which makes them count."""
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
        "probes": _probes(runner, cell, job.inputs.datasets),
        "gpu_memory": peak_memory(runner.device),
        "machine": describe(runner.device),
    }
    stamp = _stamp(cell, "done", "", job, took)
    excluded = [part.model_copy(update={"excluded": result.excluded[part.name]}) for part in stamp.datasets]
    stamp = stamp.model_copy(update={"datasets": excluded})
    write_cell(cell, job.machine, runner.sync, stamp, csv)
    runner.scratch(f"{cell.label}.jsonl").unlink(missing_ok=True)


def _probes(runner: MetricRunner, cell: Cell, datasets: list[Dataset]) -> dict[str, Probe]:
    """Returns the probes of the metric by data set; it is measured once for all its cells."""
    distortion = cell.settings.distortions[0] if runner.entry.full_reference else NONE
    found = {dataset.name: probe(runner, dataset, distortion) for dataset in datasets}
    return {name: each for name, each in found.items() if each}


def _stamp(cell: Cell, status: Status, reason: str, job: Job, took: Mapping[str, Any] | None = None) -> Stamp:
    """Returns the stamp of a cell that ends now; `took` are the fields that only a finished cell has."""
    settings = {"settings": {}} if cell.attack.problem else attack_settings(cell.attack, cell.settings)
    about = {"commit": commit(), "finished": datetime.now(UTC).isoformat(timespec="seconds")}
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
    """Writes a cell's rows, then its stamp, which makes them count; a cell without rows keeps no old ones."""
    path = cell.csv(machine.out)
    if csv is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, csv)
    write_atomically(path.with_suffix(".json"), stamp.to_json())
    sync.keep(cell, stamp, csv)
