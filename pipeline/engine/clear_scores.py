"""Scores a metric's clear images once, for all its cells on all machines."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.distortion import NONE, Distortion
from metric_robustness.pipeline.cells.settings import settings_of
from metric_robustness.pipeline.config import Preset
from metric_robustness.pipeline.data.dataset import Dataset, open_dataset
from metric_robustness.pipeline.engine.clips.runner import open_runner
from metric_robustness.pipeline.engine.device import Compute, make_deterministic
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.probe import probe
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.store.open import open_store
from metric_robustness.pipeline.store.sync import Sync
from metric_robustness.pipeline.weights.provision import missing, provide


class ClearRange(NamedTuple):
    """How far a metric's scores of the clear images of one data set reach."""

    dataset: str
    digest: str  # of the data set
    distortion: Distortion
    images: int
    low: float
    high: float
    excluded: dict[str, str]  # image, or other file -> why it has none


def calibrate(name: str, preset: Preset, out: Path, device: str, store: str = "") -> list[ClearRange]:
    """Scores the clear images of a preset's data sets and probes the metric; puts both into the result store.

    Raises:
        BenchError: If the metric, a data set or the device does not exist.
        DataError: If the metric cannot be built, or scores no image.
        TransientError: If the machine or the store failed.
    """
    entry = lookup.find("metrics", name)
    if reason := entry.problem or missing(entry) or provide(entry):
        raise DataError(f"{name}: {reason}")
    make_deterministic()
    runner = open_runner(entry, out, Compute(device), sync=Sync(open_store(store) if store else None))
    found = []
    distortions = settings_of(preset).distortions if entry.full_reference else (NONE,)
    for dataset in (open_dataset(each, preset.limit, preset.frames) for each in preset.datasets):
        for distortion in distortions:
            found.append(range_on(runner, dataset, distortion))
        probe(runner, dataset, distortions[0])
    return found


def range_on(runner: MetricRunner, dataset: Dataset, distortion: Distortion = NONE) -> ClearRange:
    """Returns how far a metric's scores of the clear images of a data set reach.

    Raises:
        DataError: If it cannot be built, or scores no image.
    """
    scores, excluded = runner.clear(dataset, distortion)
    usable = scores[scores.isfinite()]
    if not len(usable):
        image, reason = next(iter(excluded.items()))
        raise DataError(f"{runner.entry.name} scores no image of {dataset.name}; {image}: {reason}")
    low, high = float(usable.min()), float(usable.max())
    return ClearRange(dataset.name, dataset.digest, distortion, len(usable), low, high, dataset.passed_over | excluded)
