"""The cells of one metric, run one after the other: rows and stamps on the disk, and in the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipeline.cells.cell import PROTOCOL, Cell, Settings, is_universal, metric_facts
from pipeline.cells.row import to_csv
from pipeline.cells.stamp import AttackFacts, DatasetFacts, Probe, Stamp
from pipeline.data.dataset import Dataset
from pipeline.engine.attack.passes import attack_settings
from pipeline.engine.cell import CellRun
from pipeline.engine.clips.runner import open_runner
from pipeline.engine.device import begin_memory, commit, describe, make_deterministic, open_device, peak_memory
from pipeline.engine.metric.runner import MetricRunner
from pipeline.engine.probe import probe
from pipeline.engine.saved.write import save_manifest
from pipeline.engine.universal.patterns import patterns_of
from pipeline.errors import DataError
from pipeline.files import digest, write_atomically
from pipeline.store.open import open_store
from pipeline.store.sync import Sync


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

    def sync(self) -> Sync:
        """Returns what brings work from the store and keeps it there."""
        return Sync(open_store(self.store) if self.store else None, self.keep_every)


class Event(NamedTuple):
    """What a worker tells while it works: so much of `what` is done, or the cell has ended with a status."""

    metric: str
    what: str  # "clear" or an attack
    work: int  # passes over an image
    status: Literal["", "done", "failed", "skipped"] = ""
    reason: str = ""


Tell = Callable[[Event], None]


@dataclass(frozen=True)
class Job:
    """The cells of one metric: what a process gets."""

    cells: list[Cell]
    datasets: list[Dataset]
    train: list[Dataset]
    request: Request


def run_job(job: Job, tell: Tell) -> None:
    """Runs the cells of one metric; one that fails costs only itself.

    Raises:
        TransientError: If the machine failed.
        BenchError: If the output folder cannot be written to.
    """
    make_deterministic()
    request = job.request
    entry = job.cells[0].metric
    sync = request.sync()
    device, codec = open_device(request.device), request.settings.codec
    runner = open_runner(entry, request.out, device, request.batch, sync=sync, codec=codec)

    def report(what: str, work: int) -> None:
        tell(Event(entry.name, what, work))

    for cell in job.cells:
        begin_memory(runner.device)
        try:
            patterns = patterns_of(runner, cell, job.train, report)
            outcome = CellRun(runner, cell, report, save_images=request.save_images, patterns=patterns).run(
                job.datasets
            )
        except DataError as error:
            facts = stamp_facts(cell, job.datasets, job.train, request)
            write_cell(cell, request, sync, Stamp(status="failed", reason=str(error), **facts))
            tell(Event(entry.name, cell.attack.name, 0, "failed", str(error)))
            continue
        if request.save_images:
            save_manifest(cell, request.out, job.datasets, outcome.rows)
        csv = to_csv(outcome.rows)
        facts = stamp_facts(cell, job.datasets, job.train, request)
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
            probes=_probes(runner, cell, job.datasets),
            gpu_memory=peak_memory(runner.device),
            machine=describe(runner.device),
            **facts,
        )
        write_cell(cell, request, sync, stamp, csv)
        runner.work(f"{cell.label}.jsonl").unlink(missing_ok=True)
        left_out = sum(map(len, outcome.excluded.values()))
        tell(Event(entry.name, cell.attack.name, 0, "done", f"{left_out} images left out" if left_out else ""))


def _probes(runner: MetricRunner, cell: Cell, datasets: list[Dataset]) -> dict[str, Probe]:
    """Returns what a look at the metric says of its gradients; measured once for all its cells."""
    jpeg = cell.settings.jpeg[0] if runner.entry.full_reference else None
    found = {dataset.name: probe(runner, dataset, jpeg) for dataset in datasets}
    return {name: each for name, each in found.items() if each}


def stamp_facts(cell: Cell, datasets: list[Dataset], train: list[Dataset], request: Request) -> dict[str, Any]:
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


def write_cell(cell: Cell, request: Request, sync: Sync, stamp: Stamp, csv: str | None = None) -> None:
    """Writes a cell's rows, then its stamp, which makes them count; a cell without rows keeps no old ones."""
    path = cell.csv(request.out)
    if csv is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, csv)
    write_atomically(path.with_suffix(".json"), stamp.to_json())
    sync.keep(cell, stamp, csv)
