"""Runs many cells on this machine: decides which, and has them run in one process or several."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import torch

from attacks.base import Universal
from pipeline import config
from pipeline.catalogue import lookup
from pipeline.catalogue.entry import Entry
from pipeline.cells.cell import NO_CLIPS, Cell, Decision, Settings, is_universal
from pipeline.cells.stamp import Stamp, read_stamp
from pipeline.data.codecs import parse as parse_codec
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.engine.attack.passes import attack_passes, attack_variants, passes_over
from pipeline.engine.device import open_device
from pipeline.engine.job import Event, Job, Request, stamp_facts, write_cell
from pipeline.engine.saved.read import read_saved
from pipeline.engine.saved.write import require_names
from pipeline.engine.universal.patterns import open_training_set
from pipeline.engine.workers import dispatch
from pipeline.errors import BenchError, DataError
from pipeline.files import folder_lock
from pipeline.store.sync import Sync
from pipeline.weights.provision import missing, provide


class Listener(Protocol):
    """Hears how a run goes on; the terminal's progress is one."""

    def begin(self, work: dict[str, int], cells: int, done: int) -> None:
        """Is told how many passes over an image each metric has ahead, and how many cells there are."""

    def hear(self, event: Event) -> None:
        """Is told of each event."""


@dataclass
class Summary:
    """How a run ended: cells by status, and the reasons of those that are missing."""

    statuses: Counter[str] = field(default_factory=Counter)
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)  # (metric, attack) -> reason
    excluded: dict[str, str] = field(default_factory=dict)  # image -> why no cell could use it

    def add(self, cell: Cell, status: str, reason: str) -> None:
        """Counts a cell."""
        self.statuses[status] += 1
        if reason and status in {"failed", "skipped"}:
            self.reasons[cell.metric.name, cell.label] = reason


def run(request: Request, listener: Listener) -> Summary:
    """Runs every pair of the request's metrics and attacks that is not done yet.

    Raises:
        BenchError: If the request is wrong; nothing was run then.
        DataError: If the data cannot be used.
        TransientError: If the machine failed; what was finished is kept, and a second run continues.
    """
    metrics = [lookup.find("metrics", name) for name in request.metrics]
    open_device(request.device)
    parse_codec(request.settings.codec)
    sync = request.sync()
    with folder_lock(request.out):
        attacks, datasets = _asked(request)
        if request.save_images:
            require_names(datasets)
        digests = {dataset.name: dataset.digest for dataset in datasets}
        train, absent = _training_sets(request, attacks)
        trained_on = {dataset.name: dataset.digest for dataset in train}
        cells = [
            Cell(metric, attack, digests, request.settings, trained_on if is_universal(attack) else {})
            for metric in metrics
            for attack in attacks
        ]
        _refuse_other_data(cells, request.out)
        _require_key(cells, request.key)
        summary = Summary(excluded={image: why for dataset in datasets for image, why in dataset.excluded.items()})
        todo = []
        for cell in cells:
            action, reason = _decide(cell, request, sync, any(dataset.clips for dataset in datasets))
            if is_universal(cell.attack) and absent:
                action, reason = "skipped", absent
            if action == "run":
                todo.append(cell)
                continue
            summary.add(cell, action, reason)
            if action != "done":
                write_cell(
                    cell,
                    request,
                    sync,
                    Stamp(status=action, reason=reason, **stamp_facts(cell, datasets, train, request)),
                )
        listener.begin(_work(todo, datasets, train), len(todo), summary.statuses["done"])
        by_name = {(cell.metric.name, cell.attack.name): cell for cell in todo}

        def tell(event: Event) -> None:
            listener.hear(event)
            if event.status:
                summary.add(by_name[event.metric, event.what], event.status, event.reason)

        per_metric = {name: [cell for cell in todo if cell.metric.name == name] for name, _ in by_name}
        dispatch([Job(group, datasets, train, request) for group in per_metric.values()], request.jobs, tell)
    return summary


def _asked(request: Request) -> tuple[list[Entry], list[Dataset]]:
    """Returns the attacks and the data sets of a request, which saved images bring along."""
    if request.saved is not None:
        saved, datasets = read_saved(request.saved)
        return list(saved), datasets
    attacks = [_tried(lookup.find("attacks", name), request.settings) for name in request.attacks]
    return attacks, [open_dataset(name, request.limit, request.frames) for name in request.datasets]


def _training_sets(request: Request, attacks: list[Entry]) -> tuple[list[Dataset], str]:
    """Returns the training sets, if an attack needs them, and why one of the benchmark's own is not here.

    Raises:
        BenchError: If a folder cannot be used, or two have one name.
    """
    if not any(map(is_universal, attacks)):
        return [], ""
    found: dict[str, Dataset] = {}
    for name in request.train:
        try:
            dataset = open_training_set(name, request.train_limit)
        except BenchError as error:
            if name not in config.load().datasets:
                raise
            return [], str(error)
        if dataset.name in found:
            raise BenchError(f"training sets must have different names; got {dataset.name} twice: rename a folder")
        found[dataset.name] = dataset
    return list(found.values()), ""


def _tried(attack: Entry, settings: Settings) -> Entry:
    """Returns the attack; one that cannot be built has that as its problem, and costs only its own cells.

    Raises:
        BenchError: If a setting does not exist.
    """
    try:
        if not attack.problem:
            attack_variants(attack, settings)
    except DataError as error:
        return replace(attack, problem=str(error))
    return attack


def _decide(cell: Cell, request: Request, sync: Sync, clips: bool) -> Decision:
    if cell.metric.kind == "video" and not clips:
        return Decision("skipped", NO_CLIPS)
    decision = cell.decide(request.out, save_images=request.save_images)
    if decision.action == "run" and not request.save_images and sync.restore(cell, request.out):
        return Decision("done", "in the store")
    if decision.action == "done":
        sync.offer(cell, request.out)
    if decision.action == "run":
        for entry in (cell.metric, *cell.needed(), *cell.defended()):
            if reason := missing(entry) or provide(entry):
                return Decision("skipped", reason)
    return decision


def _refuse_other_data(cells: list[Cell], out: Path) -> None:
    """Raises if the folder holds finished rows of other data sets, which this run would replace."""
    for cell in cells:
        stamp = read_stamp(cell.csv(out).with_suffix(".json"))
        if stamp is not None and stamp.status == "done":
            for kind, there, here in (
                ("data set", stamp.datasets, cell.datasets),
                ("training set", stamp.train, cell.train),
            ):
                names = sorted(dataset.name for dataset in there)
                if names != sorted(here):
                    raise BenchError(
                        f"{out} holds rows of {kind} {', '.join(names)}; this run is of "
                        f"{', '.join(sorted(here))}: choose another --out"
                    )


def _require_key(cells: list[Cell], key: str) -> None:
    """Raises if a cell was planned from other code or data than this machine has."""
    if key and [cell.key for cell in cells] != [key]:
        raise DataError(
            f"the cell must have the planned key {key}; got {', '.join(cell.key for cell in cells)}: the data or the "
            "checkout of this machine differ from the planner's; compare what doctor prints"
        )


def _work(cells: list[Cell], datasets: list[Dataset], train: list[Dataset]) -> dict[str, int]:
    """Returns how many passes over an image each metric has ahead."""
    work: Counter[str] = Counter()
    for cell in cells:
        attacks = attack_variants(cell.attack, cell.settings)
        stand_ins = {name: {dataset.name: torch.zeros(()) for dataset in train} for name in attacks}
        passes = list(attack_passes(attacks, cell.settings, cell.metric.full_reference, stand_ins))
        for dataset in datasets:
            due = passes_over(dataset, passes, cell.settings)
            work[cell.metric.name] += len(dataset.photos) * sum(current.work for current in due)
        for attack in attacks.values():
            if isinstance(attack, Universal):
                work[cell.metric.name] += 3 * attack.epochs * sum(len(dataset.photos) for dataset in train)
    return dict(work)
