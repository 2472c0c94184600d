"""Runs many cells on this machine: decides which, and has each metric's cells run in a worker of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.finished import finished, names_there
from metric_robustness.pipeline.cells.proof import proof_of
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import Stamp, passed_over_of
from metric_robustness.pipeline.data.videos.codecs import parse as parse_codec
from metric_robustness.pipeline.engine.decide import (
    ADDED,
    Inputs,
    beside,
    cells_of,
    decide,
    open_inputs,
    require_key,
    work_ahead,
)
from metric_robustness.pipeline.engine.device import open_device
from metric_robustness.pipeline.engine.earlier import parts_of
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.metric_job import Job, run_alone, run_metric, stamp_now, write_cell
from metric_robustness.pipeline.engine.progress import Event, Listener, OnEvent, Summary
from metric_robustness.pipeline.engine.saved.write import require_names
from metric_robustness.pipeline.engine.selection import Selection
from metric_robustness.pipeline.engine.workers import MetricWatch, slow_imports
from metric_robustness.pipeline.errors import TransientError
from metric_robustness.pipeline.files import folder_lock
from metric_robustness.pipeline.isolation.starter import starter
from metric_robustness.pipeline.isolation.watch import LostError, Watched, call, watch
from metric_robustness.pipeline.isolation.worker import Runnable
from metric_robustness.pipeline.store.sync import Sync
from metric_robustness.pipeline.terminal import err


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
    open_device(machine.compute.device)
    parse_codec(settings.codec)
    sync = machine.sync()
    if machine.isolated:
        starter()  # before the folder is locked: what it forks would hold the lock for ever
    with folder_lock(machine.out):
        there, inputs = finished(machine.out), open_inputs(selection, settings, isolated=machine.isolated)
        if not key:
            inputs = inputs.called(names_there(there))
        if machine.save_images:
            require_names(inputs.datasets, machine.out)
        inputs = replace(inputs, parts={} if machine.replace else parts_of(inputs.datasets, there))
        cells = beside(cells_of(metrics, inputs, settings), there, machine, key, inputs.parts)
        require_key(cells, key)
        ledger = Ledger(inputs, machine, sync, selection.preset)
        for cell in cells:
            ledger.enter(cell, again=cell.csv(machine.out) in there)
        ahead = [cell for job in ledger.jobs for cell in job.cells]
        listener.begin(_work_ahead(ahead, inputs, machine), len(ahead), ledger.summary.statuses["done"])
        for reason, count in ledger.again.items():
            what = "go on from" if reason == ADDED else "replace"
            err.print(f"{count} of them {what} finished rows: {reason}", markup=False, soft_wrap=True)

        def on_event(event: Event) -> None:
            ledger.note(event)
            listener.on_event(event)

        _run_jobs(ledger.jobs, machine, sync, on_event)
        _require_there(cells, machine)
        still = {(csv.parent.name, csv.stem) for csv in finished(machine.out)}
        ledger.summary.kept = still & ledger.summary.reasons.keys()
    return ledger.summary


class Ledger:
    """What becomes of each cell of a run: a job's, or done or left out already; and in the end, how each ended.

    Attributes:
        summary: How the cells ended so far.
        again: Why cells that have finished rows are at work again, and how many for each reason.
    """

    def __init__(self, inputs: Inputs, machine: Machine, sync: Sync, preset: str) -> None:
        self.inputs, self.machine, self.sync, self.preset = inputs, machine, sync, preset
        opened = [*inputs.datasets, *inputs.train]
        self.summary = Summary(excluded={named: set() for each in opened for named in each.passed_over.items()})
        for each in opened:
            self.summary.remarks.update(each.remarks)
        self.again: Counter[str] = Counter()
        self._jobs: dict[str, Job] = {}

    @property
    def jobs(self) -> list[Job]:
        """Returns what is to be run, a job for each metric."""
        return [job for job in self._jobs.values() if job.cells]

    def enter(self, cell: Cell, *, again: bool) -> None:
        """Adds a cell to its metric's job, or settles it at once.

        Args:
            cell: A cell of the run.
            again: Whether the folder holds finished rows of it.
        """
        job = self._jobs.setdefault(cell.metric.name, Job([], self.inputs, self.machine, self.preset))
        action, reason = decide(cell, self.inputs, self.machine, self.sync)
        if action == "run":
            job.cells.append(cell)
            if again:
                self.again[reason] += 1
            return
        self.summary.add(cell, action, reason)
        if action != "done":
            write_cell(cell, self.machine, self.sync, stamp_now(cell, action, reason, job))
        elif stamp := Stamp.read(cell.csv(self.machine.out).with_suffix(".json")):
            self.summary.exclude(cell.metric.name, passed_over_of(stamp))

    def note(self, event: Event) -> None:
        """Settles the cell that an event says has ended; a job stamps only those that gave rows."""
        if not event.status:
            return
        job = self._jobs[event.metric]
        (cell,) = (each for each in job.cells if each.attack.name == event.what)
        self.summary.add(cell, event.status, event.reason)
        self.summary.exclude(event.metric, event.excluded)
        if event.status == "failed":
            write_cell(cell, self.machine, self.sync, stamp_now(cell, "failed", event.reason, job))


def _run_jobs(todo: list[Job], machine: Machine, sync: Sync, on_event: OnEvent) -> None:
    """Runs the cells of each metric, in workers or in this process."""
    if machine.patience is None:
        for job in todo:
            run_metric(job, sync, on_event)
        return
    starter().prepare(slow_imports(job.cells[0].metric for job in todo))
    at_once = machine.jobs if len(todo) > 1 else 1
    watch([_watched(job, at_once, on_event) for job in todo], at_once, machine.patience)


def _require_there(cells: list[Cell], machine: Machine) -> None:
    """Raises TransientError if a cell that ended is not in the output folder: tables would lack it without a word."""
    proofs = [(cell, proof_of(cell.csv(machine.out))) for cell in cells]
    lost = [cell for cell, proof in proofs if not proof.stamp or (proof.stamp.status == "done" and proof.reason)]
    if lost:
        raise TransientError(
            f"{machine.out} must hold the {len(cells)} cells of this run; {len(lost)} are gone or damaged, such as "
            f"{lost[0].metric.name} under {lost[0].attack.name}: leave the folder alone meanwhile, and run again"
        )


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
