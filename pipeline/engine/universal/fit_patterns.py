"""Fits the patterns that a user or a job asks for, outside of any cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell, is_universal
from metric_robustness.pipeline.cells.fit import Fit, FitStamp, fits_of, require_patterns_kept
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.engine.device import make_deterministic
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.selection import Selection
from metric_robustness.pipeline.engine.universal.fit import OnStep
from metric_robustness.pipeline.engine.universal.patterns import open_training_set, pattern_of
from metric_robustness.pipeline.errors import BenchError, DataError, suggestion
from metric_robustness.pipeline.files import folder_lock
from metric_robustness.pipeline.weights.provision import missing, provide


class Fitted(NamedTuple):
    """A pattern that is now in the output folder."""

    file: Path
    stamp: FitStamp
    rms: float  # root mean square of the pattern
    largest: float  # absolute value in it


def fit_patterns(
    selection: Selection,
    settings: Settings,
    machine: Machine,
    show: Callable[[Fit], AbstractContextManager[OnStep]],
    *,
    key: str = "",
) -> Iterator[Fitted]:
    """Yields the patterns of an attack on a metric, its variants' too, fitted unless they are current.

    Args:
        selection: One metric, one universal attack, and the training sets.
        settings: What the patterns depend on besides code and data.
        machine: Where the fits compute and write.
        show: Returns what shows the progress of a fit.
        key: What the key of one of the patterns must be; empty: anything.

    Raises:
        BenchError: If a name, a setting or the device does not exist, or a pattern of other images would be replaced.
        DataError: If a pattern cannot be fitted.
        TransientError: If the machine failed.
    """
    (metric,) = selection.entries()
    (attack,) = (lookup.find("attacks", name) for name in selection.attacks)
    if not is_universal(attack):
        known = {name: entry for name, entry in lookup.entries("attacks").items() if is_universal(entry)}
        raise BenchError(f"fit needs a universal attack; got {attack.name}: {suggestion(attack.name, known)}")
    if reason := metric.problem or attack.problem or missing(metric) or provide(metric):
        raise DataError(f"{metric.name} under {attack.name}: {reason}")
    opened = (open_training_set(name, selection.train_limit) for name in selection.train)
    train = {dataset.name: dataset for dataset in opened}
    cell = Cell(metric, attack, {}, settings, {name: dataset.digest for name, dataset in train.items()})
    if impossible := cell.impossible():
        raise DataError(f"{metric.name} under {attack.name}: {impossible.reason}")
    fits = fits_of(cell)
    if key and key not in {fit.key for fit in fits}:
        raise DataError(
            f"the pattern must have the planned key {key}; got {fits[0].key}: the data or the checkout of this "
            "machine differ from the planner's; compare what doctor prints"
        )
    make_deterministic()
    sync = machine.sync()
    with folder_lock(machine.out):
        if not machine.replace:
            require_patterns_kept(fits, machine.out)
        runner = MetricRunner(metric, machine.out, machine.compute, sync=sync)
        for fit in fits:
            with show(fit) as on_step:
                pattern = pattern_of(runner, fit, train[fit.train], on_step, every=machine.checkpoint_every)
            file = fit.file(machine.out)
            stamp = FitStamp.read(file.with_suffix(".json"))
            if stamp:
                yield Fitted(file, stamp, pattern.square().mean().sqrt().item(), pattern.abs().max().item())
