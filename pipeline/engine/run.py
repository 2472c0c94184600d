"""Runs many cells on this machine: decides which, runs them metric by metric, and writes rows and stamps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psutil
import torch

from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.finished import finished, is_finished, names_there
from metric_robustness.pipeline.cells.proof import proof_of
from metric_robustness.pipeline.cells.row import to_csv
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import Probe, Stamp, Status, excluded_of, read_stamp, stamp_of
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.videos.codecs import parse as parse_codec
from metric_robustness.pipeline.engine.cell import CellResult, CellRun
from metric_robustness.pipeline.engine.clips.runner import open_runner
from metric_robustness.pipeline.engine.decide import (
    Inputs,
    beside,
    cells_of,
    decide,
    open_inputs,
    require_key,
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
from metric_robustness.pipeline.engine.process_state import Restorer
from metric_robustness.pipeline.engine.progress import Event, Listener, OnEvent, Summary
from metric_robustness.pipeline.engine.saved.write import require_names, save_manifest
from metric_robustness.pipeline.engine.selection import Selection
from metric_robustness.pipeline.engine.universal.patterns import patterns_of
from metric_robustness.pipeline.engine.workers import MetricWatch, slow_imports
from metric_robustness.pipeline.errors import DataError, TransientError
from metric_robustness.pipeline.files import digest, folder_lock, write_atomically
from metric_robustness.pipeline.isolation.starter import starter
from metric_robustness.pipeline.isolation.watch import LostError, Watched, call, watch
from metric_robustness.pipeline.isolation.worker import Runnable
from metric_robustness.pipeline.store.sync import Sync
from metric_robustness.pipeline.terminal import counted, err


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
    metrics = selection.entries()
    open_device(machine.device)
    parse_codec(settings.codec)
    sync = machine.sync()
    with folder_lock(machine.out):
        there, inputs = finished(machine.out), open_inputs(selection, settings, isolated=machine.isolated)
        if not key:
            inputs = inputs.called(names_there(there))
        if machine.save_images:
            require_names(inputs.datasets, machine.out)
        cells = beside(cells_of(metrics, inputs, settings), there, machine, key)
        require_key(cells, key)
        summary = Summary(excluded={named: set() for each in inputs.datasets for named in each.excluded.items()})
        again: Counter[str] = Counter()
        for each in inputs.datasets:
            summary.remarks.update(each.remarks)
        jobs: dict[str, Job] = {}
        for cell in cells:
            job = jobs.setdefault(cell.metric.name, Job([], inputs, machine, selection.preset))
            action, reason = decide(cell, inputs, machine, sync)
            if action == "run":
                job.cells.append(cell)
                again[reason] += cell.csv(machine.out) in there
                continue
            summary.add(cell, action, reason)
            if action == "done" and (stamp := read_stamp(cell.csv(machine.out).with_suffix(".json"))):
                summary.exclude(cell.metric.name, excluded_of(stamp))
            if action != "done":
                write_cell(cell, machine, sync, _stamp(cell, action, reason, job))
        todo = [job for job in jobs.values() if job.cells]
        ahead = [cell for job in todo for cell in job.cells]
        listener.begin(_work_ahead(ahead, inputs, machine), len(ahead), summary.statuses["done"])
        for reason, count in (+again).items():
            err.print(f"{count} of them replace finished rows: {reason}", markup=False, soft_wrap=True)

        def on_event(event: Event) -> None:
            if event.status:
                job = jobs[event.metric]
                (cell,) = (each for each in job.cells if each.attack.name == event.what)
                summary.add(cell, event.status, event.reason)
                summary.exclude(event.metric, event.excluded or {})
                if event.status == "failed":
                    write_cell(cell, machine, sync, _stamp(cell, "failed", event.reason, job))
            listener.on_event(event)

        if machine.patience is not None:
            starter().prepare(slow_imports(job.cells[0].metric for job in todo))
            at_once = machine.jobs if len(todo) > 1 else 1
            watch([_watched(job, at_once, on_event) for job in todo], at_once, machine.patience)
        else:
            for job in todo:
                run_metric(job, sync, on_event)
        _require_there(cells, machine)
        still = {(csv.parent.name, csv.stem) for csv in finished(machine.out)}
        summary.kept = still & summary.reasons.keys()
    return summary


def _require_there(cells: list[Cell], machine: Machine) -> None:
    """Raises TransientError if a cell that ended is not in the output folder: tables would lack it without a word."""
    proofs = [(cell, proof_of(cell.csv(machine.out))) for cell in cells]
    lost = [cell for cell, proof in proofs if not proof.stamp or (proof.stamp.status == "done" and proof.reason)]
    if lost:
        raise TransientError(
            f"{machine.out} must hold the {len(cells)} cells of this run; {len(lost)} are gone or damaged, such as "
            f"{lost[0].metric.name} under {lost[0].attack.name}: leave the folder alone meanwhile, and run again"
        )


@dataclass(frozen=True)
class Job:
    """The cells of one metric, and what they need; a worker process gets one."""

    cells: list[Cell]
    inputs: Inputs
    machine: Machine
    preset: str


def _work_ahead(cells: list[Cell], inputs: Inputs, machine: Machine) -> dict[tuple[str, str], int]:
    """Returns what each cell has ahead; 0 where the attacks' own code cannot tell it: their cells will say why."""
    if not machine.isolated:
        return work_ahead(cells, inputs)
    try:
        return call("the attacks", work_ahead, cells, inputs)
    except LostError:
        return {(cell.metric.name, cell.attack.name): 0 for cell in cells}


def _watched(job: Job, at_once: int, on_event: OnEvent) -> Watched:
    """Returns the cells of one metric as a task for worker processes."""

    def task(attacks: list[str]) -> Runnable:
        cells = [cell for cell in job.cells if cell.attack.name in attacks]
        return partial(run_alone, replace(job, cells=cells), at_once)

    return MetricWatch(job.cells[0].metric.name, [cell.attack.name for cell in job.cells], task, on_event).watched()


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
    device, codec = open_device(machine.device), job.cells[0].settings.codec
    restorer = Restorer()
    with suppress(DataError):  # its cells will say so
        entry.load()
    runner = open_runner(entry, machine.out, device, machine.batch, sync=sync, codec=codec)

    def on_work(what: str, work: int) -> None:
        on_event(Event(entry.name, what, work))

    def keep_state(attack: str) -> None:
        for change in restorer.changes():
            on_event(Event(entry.name, attack, 0, "", change))

    keep_state("")
    for cell in job.cells:
        on_work(cell.attack.name, 0)
        on_unit = partial(keep_state, cell.attack.name)
        begin_memory(runner.device)
        try:
            patterns = patterns_of(runner, cell, inputs.train, on_work)
            saving = machine.save_images
            running = CellRun(runner, cell, on_work, save_images=saving, patterns=patterns, on_unit=on_unit)
            result = running.run(inputs.datasets)
        except DataError as error:
            on_unit()
            on_event(Event(entry.name, cell.attack.name, 0, "failed", str(error)))
            continue
        _finish(runner, cell, job, result)
        on_unit()
        excluded = {image: why for images in result.excluded.values() for image, why in images.items()}
        told = f"{counted(len(excluded), 'image')} excluded" if excluded else ""
        on_event(Event(entry.name, cell.attack.name, 0, "done", told, excluded))


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
    settings = job.inputs.attack_facts.get(cell.attack.name, {"settings": {}})
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
    """Writes a cell's rows, then its stamp, which makes them count; a cell that gave none keeps its finished rows."""
    path = cell.csv(machine.out)
    if csv is not None or machine.replace or not is_finished(path):
        if csv is None:
            path.unlink(missing_ok=True)
        else:
            write_atomically(path, csv)
        write_atomically(path.with_suffix(".json"), stamp.to_json())
    sync.keep(cell, stamp, csv)
