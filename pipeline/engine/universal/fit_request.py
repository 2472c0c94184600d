"""Fits the patterns that a user or a job asks for, outside of any cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.catalogue import lookup
from pipeline.cells.cell import Cell, Settings, is_universal
from pipeline.cells.fit import Fit, FitStamp, fits_of, read_fit_stamp
from pipeline.engine.device import make_deterministic, open_device
from pipeline.engine.metric.runner import MetricRunner
from pipeline.engine.universal.fit import Told
from pipeline.engine.universal.patterns import open_training_set, pattern_of
from pipeline.errors import BenchError, DataError, suggestion
from pipeline.files import folder_lock
from pipeline.store.open import open_store
from pipeline.store.sync import Sync
from pipeline.weights.provision import missing, provide


@dataclass(frozen=True)
class FitRequest:
    """What to fit, on what, and where to."""

    attack: str
    metric: str
    train: list[str]
    limit: int | None
    settings: Settings
    out: Path
    device: str
    batch: int | None  # crops that the metric takes at once
    store: str
    key: str  # what the key of one of the patterns must be
    every: float  # seconds between two checkpoints


class Fitted(NamedTuple):
    """A pattern that is there now."""

    file: Path
    stamp: FitStamp
    rms: float  # root mean square of the pattern
    largest: float  # absolute value in it


def fit_patterns(request: FitRequest, shown: Callable[[Fit], AbstractContextManager[Told]]) -> Iterator[Fitted]:
    """Yields the patterns of an attack on a metric, its variants' too, fitted unless they are current.

    Args:
        request: What to fit.
        shown: Shows the progress of a fit.

    Raises:
        BenchError: If the request is wrong.
        DataError: If a pattern cannot be fitted.
        TransientError: If the machine failed.
    """
    metric, attack = lookup.find("metrics", request.metric), lookup.find("attacks", request.attack)
    if not is_universal(attack):
        known = {name: entry for name, entry in lookup.entries("attacks").items() if is_universal(entry)}
        raise BenchError(f"fit needs a universal attack; got {attack.name}: {suggestion(attack.name, known)}")
    if reason := metric.problem or attack.problem or missing(metric) or provide(metric):
        raise DataError(f"{metric.name} under {attack.name}: {reason}")
    train = {each.name: each for each in (open_training_set(name, request.limit) for name in request.train)}
    digests = {name: dataset.digest for name, dataset in train.items()}
    cell = Cell(metric, attack, {}, request.settings, digests)
    if impossible := cell.impossible():
        raise DataError(f"{metric.name} under {attack.name}: {impossible.reason}")
    fits = fits_of(cell)
    if request.key and request.key not in {fit.key for fit in fits}:
        raise DataError(
            f"the pattern must have the planned key {request.key}; got {fits[0].key}: the data or the checkout of this "
            "machine differ from the planner's; compare what doctor prints"
        )
    make_deterministic()
    sync = Sync(open_store(request.store) if request.store else None)
    with folder_lock(request.out):
        runner = MetricRunner(metric, request.out, open_device(request.device), request.batch, sync=sync)
        for fit in fits:
            with shown(fit) as told:
                pattern = pattern_of(runner, fit, train[fit.train], told, every=request.every)
            file = fit.file(request.out)
            stamp = read_fit_stamp(file.with_suffix(".json"))
            if stamp:
                yield Fitted(file, stamp, pattern.square().mean().sqrt().item(), pattern.abs().max().item())
