"""Runs many cells on this machine: decides, computes, stamps, in one process or several."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing.managers import SyncManager
from pathlib import Path
from threading import Thread
from typing import Any, Literal, NamedTuple, Protocol

import psutil
import torch

from attacks.base import Universal
from pipeline import catalog, config
from pipeline.catalog import Entry
from pipeline.cells import NO_CLIPS, PROTOCOL, Cell, Decision, Settings, is_universal, metric_facts
from pipeline.ci.stores import open_store
from pipeline.errors import BenchError, DataError, Exit, TransientError
from pipeline.evaluate.cell import CellRun
from pipeline.evaluate.clips import open_bench
from pipeline.evaluate.codecs import parse as parse_codec
from pipeline.evaluate.datasets import Dataset, open_dataset
from pipeline.evaluate.keeper import Keeper
from pipeline.evaluate.machine import begin_memory, commit, describe, make_deterministic, open_device, peak_memory
from pipeline.evaluate.metric import MetricBench
from pipeline.evaluate.passes import attack_passes, attack_settings, attack_variants, passes_over
from pipeline.evaluate.patterns import open_training_set, patterns_of
from pipeline.evaluate.probe import probe
from pipeline.evaluate.saved import read_saved
from pipeline.evaluate.saving import require_names, save_manifest
from pipeline.evaluate.weights import missing, provide
from pipeline.files import digest, folder_lock, write_atomically
from pipeline.rows import to_csv
from pipeline.stamp import AttackFacts, DatasetFacts, Probe, Stamp, read_stamp


@dataclass(frozen=True)
class Request:
    """What to run, where to, and how."""

    metrics: list[str]
    attacks: list[str]
    datasets: list[str]
    out: Path
    train: list[str] = field(default_factory=list)  # training sets of universal attacks
    train_limit: int | None = None
    settings: Settings = field(default_factory=Settings)
    preset: str = ""
    limit: int | None = None
    frames: int | None = None  # of each video
    device: str = "cpu"
    batch: int | None = None
    save_images: bool = False
    saved: Path | None = None  # a folder of saved images that are scored instead of attacking
    jobs: int = 1
    store: str = ""  # the address of a store to take finished cells from, and to keep ours in
    keep_every: float = 300  # seconds between two copies of unfinished work there
    key: str = ""  # what the one cell's key must be

    def keeper(self) -> Keeper:
        """Returns what brings work from the store and keeps it there."""
        return Keeper(open_store(self.store) if self.store else None, self.keep_every)


class Event(NamedTuple):
    """What a worker tells while it works: so much of `what` is done, or the cell has ended with a status."""

    metric: str
    what: str  # "clear" or an attack
    work: int  # passes over an image
    status: Literal["", "done", "failed", "skipped"] = ""
    reason: str = ""


Tell = Callable[[Event], None]


class Listener(Protocol):
    """Hears how a run goes on; the terminal's progress is one."""

    def begin(self, work: dict[str, int], cells: int, done: int) -> None:
        """Is told how many passes over an image each metric has ahead, and how many cells there are."""

    def hear(self, event: Event) -> None:
        """Is told of each event."""


@dataclass(frozen=True)
class Job:
    """The cells of one metric: what a worker process gets."""

    cells: list[Cell]
    datasets: list[Dataset]
    train: list[Dataset]
    request: Request


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
    metrics = [catalog.find("metrics", name) for name in request.metrics]
    open_device(request.device)
    parse_codec(request.settings.codec)
    keeper = request.keeper()
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
            action, reason = _decide(cell, request, keeper, any(dataset.clips for dataset in datasets))
            if is_universal(cell.attack) and absent:
                action, reason = "skipped", absent
            if action == "run":
                todo.append(cell)
                continue
            summary.add(cell, action, reason)
            if action != "done":
                _write(
                    cell, request, keeper, Stamp(status=action, reason=reason, **_facts(cell, datasets, train, request))
                )
        listener.begin(_work(todo, datasets, train), len(todo), summary.statuses["done"])
        by_name = {(cell.metric.name, cell.attack.name): cell for cell in todo}

        def tell(event: Event) -> None:
            listener.hear(event)
            if event.status:
                summary.add(by_name[event.metric, event.what], event.status, event.reason)

        per_metric = {name: [cell for cell in todo if cell.metric.name == name] for name, _ in by_name}
        _dispatch([Job(group, datasets, train, request) for group in per_metric.values()], request, tell)
    return summary


def _asked(request: Request) -> tuple[list[Entry], list[Dataset]]:
    """Returns the attacks and the data sets of a request, which saved images bring along."""
    if request.saved is not None:
        saved, datasets = read_saved(request.saved)
        return list(saved), datasets
    attacks = [_tried(catalog.find("attacks", name), request.settings) for name in request.attacks]
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


def _decide(cell: Cell, request: Request, keeper: Keeper, clips: bool) -> Decision:
    if cell.metric.kind == "video" and not clips:
        return Decision("skipped", NO_CLIPS)
    decision = cell.decide(request.out, save_images=request.save_images)
    if decision.action == "run" and not request.save_images and keeper.restore(cell, request.out):
        return Decision("done", "in the store")
    if decision.action == "done":
        keeper.offer(cell, request.out)
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


def _dispatch(jobs: list[Job], request: Request, tell: Tell) -> None:
    """Runs the jobs, here one after another or in worker processes."""
    if request.jobs == 1 or len(jobs) <= 1:
        for job in jobs:
            run_job(job, tell)
        return
    context = multiprocessing.get_context("spawn")
    manager = SyncManager(ctx=context)
    manager.start(_end_with_parent)
    with manager:
        channel: Any = manager.Queue()
        with ProcessPoolExecutor(request.jobs, mp_context=context, initializer=_begin_worker) as pool:
            futures = [pool.submit(_run_in_worker, job, channel) for job in jobs]
            try:
                _relay(futures, channel, tell)
            except BrokenProcessPool as error:
                raise TransientError(
                    "a worker process was killed, probably for memory: run again with fewer --jobs or a smaller --batch"
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)


def _relay(futures: list[Future[None]], channel: Any, tell: Tell) -> None:
    """Passes on what the workers tell until all have ended."""
    ended = False
    while not ended:
        ended = all(future.done() for future in futures)  # asked before the channel is emptied, so nothing is missed
        with suppress(queue.Empty):
            while True:
                tell(channel.get(timeout=0.2))
        for future in futures:
            if future.done():
                future.result()


def _begin_worker() -> None:
    """Makes a worker end at once, without a word, when the user stops the run."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(Exit.STOPPED))
    _end_with_parent()


def _end_with_parent() -> None:
    """Ends this process when the run that started it is gone, even by `kill -9`: the next run may hold its folder."""

    def wait_for_parent() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(Exit.STOPPED)

    Thread(target=wait_for_parent, daemon=True).start()


def _run_in_worker(job: Job, channel: Any) -> None:
    torch.set_num_threads(max(1, (psutil.cpu_count() or 1) // job.request.jobs))
    run_job(job, channel.put)


def run_job(job: Job, tell: Tell) -> None:
    """Runs the cells of one metric; one that fails costs only itself.

    Raises:
        TransientError: If the machine failed.
        BenchError: If the output folder cannot be written to.
    """
    make_deterministic()
    request = job.request
    entry = job.cells[0].metric
    keeper = request.keeper()
    device, codec = open_device(request.device), request.settings.codec
    bench = open_bench(entry, request.out, device, request.batch, keeper=keeper, codec=codec)

    def report(what: str, work: int) -> None:
        tell(Event(entry.name, what, work))

    for cell in job.cells:
        begin_memory(bench.device)
        try:
            patterns = patterns_of(bench, cell, job.train, report)
            outcome = CellRun(bench, cell, report, save_images=request.save_images, patterns=patterns).run(job.datasets)
        except DataError as error:
            facts = _facts(cell, job.datasets, job.train, request)
            _write(cell, request, keeper, Stamp(status="failed", reason=str(error), **facts))
            tell(Event(entry.name, cell.attack.name, 0, "failed", str(error)))
            continue
        if request.save_images:
            save_manifest(cell, request.out, job.datasets, outcome.rows)
        csv = to_csv(outcome.rows)
        facts = _facts(cell, job.datasets, job.train, request)
        facts["datasets"] = [
            part.model_copy(update={"excluded": outcome.excluded[part.name]}) for part in facts["datasets"]
        ]
        stamp = Stamp(
            status="done",
            rows=len(outcome.rows),
            sha256=digest(csv.encode()),
            seconds=outcome.seconds,
            purifying={name: float(f"{seconds:.3g}") for name, seconds in outcome.purifying.items()},
            flaws={variant: dict(flaws) for variant, flaws in outcome.flaws.items() if flaws},
            probes=_probes(bench, cell, job.datasets),
            gpu_memory=peak_memory(bench.device),
            machine=describe(bench.device),
            **facts,
        )
        _write(cell, request, keeper, stamp, csv)
        bench.work(f"{cell.label}.jsonl").unlink(missing_ok=True)
        left_out = sum(map(len, outcome.excluded.values()))
        tell(Event(entry.name, cell.attack.name, 0, "done", f"{left_out} images left out" if left_out else ""))


def _probes(bench: MetricBench, cell: Cell, datasets: list[Dataset]) -> dict[str, Probe]:
    """Returns what a look at the metric says of its gradients; measured once for all its cells."""
    jpeg = cell.settings.jpeg[0] if bench.entry.full_reference else None
    found = {dataset.name: probe(bench, dataset, jpeg) for dataset in datasets}
    return {name: each for name, each in found.items() if each}


def _facts(cell: Cell, datasets: list[Dataset], train: list[Dataset], request: Request) -> dict[str, Any]:
    """Returns what every stamp of a cell says, however the cell ended."""
    attack = cell.attack
    settings = cell.settings
    return {
        "metric": metric_facts(cell.metric),
        "attack": AttackFacts(
            name=attack.name,
            title=attack.title,
            family=attack.fields.get("family", ""),
            access=attack.fields.get("access", "white"),
            fingerprint=attack.fingerprint,
            **({"settings": {}} if attack.problem else attack_settings(attack, settings)),
        ),
        "datasets": list(map(_dataset_facts, datasets)),
        "train": list(map(_dataset_facts, train)) if is_universal(attack) else [],
        "settings": {
            "variants": settings.variants,
            "jpeg": list(settings.jpeg),
            "overrides": dict(settings.overrides),
            "dtype": settings.dtype,
            "codec": settings.codec,
            "defences": list(settings.defences),
        },
        "preset": request.preset,
        "key": cell.key,
        "protocol": PROTOCOL,
        "commit": commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _dataset_facts(dataset: Dataset) -> DatasetFacts:
    return DatasetFacts(
        name=dataset.name,
        digest=dataset.digest,
        images=dataset.asked,
        clips=dataset.asked_clips,
        excluded=dataset.excluded,
    )


def _write(cell: Cell, request: Request, keeper: Keeper, stamp: Stamp, csv: str | None = None) -> None:
    """Writes a cell's rows, then its stamp, which makes them count; a cell without rows keeps no old ones."""
    path = cell.csv(request.out)
    if csv is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, csv)
    write_atomically(path.with_suffix(".json"), stamp.to_json())
    keeper.keep(cell, stamp, csv)
