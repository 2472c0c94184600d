"""Measures what passes cost on this device, so that `plan` can say how long a cell takes before it ever ran."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
import torch

from metric_robustness.attacks.base import Attack, Budget, Images, Universal
from metric_robustness.attacks.base import Noise as AttackNoise
from metric_robustness.attacks.base import Objective as AttackObjective
from metric_robustness.metrics.base import NoReference, Scores
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE, Distortion
from metric_robustness.pipeline.cells.settings import Settings, settings_of
from metric_robustness.pipeline.cells.speed import PassSpeed
from metric_robustness.pipeline.config import Preset
from metric_robustness.pipeline.data.dataset import Dataset, Photo, open_dataset
from metric_robustness.pipeline.data.images import Batch, load_batch, to_tensor
from metric_robustness.pipeline.engine.attack.assess import Assessors
from metric_robustness.pipeline.engine.attack.batch import attack_batch, objective_of
from metric_robustness.pipeline.engine.attack.passes import Trial
from metric_robustness.pipeline.engine.attack.settings import attack_variants
from metric_robustness.pipeline.engine.batching import free_memory, out_of_memory, reason_of
from metric_robustness.pipeline.engine.device import (
    Compute,
    begin_memory,
    finished_at,
    make_deterministic,
    open_device,
    peak_memory,
)
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective
from metric_robustness.pipeline.engine.metric.runner import ClearScores, MetricRunner
from metric_robustness.pipeline.engine.metric.search import search_of
from metric_robustness.pipeline.engine.metric.surrogates import Surrogates, surrogates_of
from metric_robustness.pipeline.engine.universal.crop_objective import CropObjective
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.weights.provision import missing, provide

LEAST, MOST_RUNS = 0.3, 5  # a measurement goes on for so many seconds, but for no more runs


class Brightness(NoReference):
    """A metric that costs nothing beside an attack's own arithmetic."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images) -> Scores:
        """Returns the mean of each image."""
        return images.mean(dim=(1, 2, 3))


@dataclass(frozen=True)
class Brighten(Attack):
    """An attack that costs nothing beside what is done to every attacked image."""

    access = "black"
    family = "control"

    def perturb(self, images: Images, objective: AttackObjective, noise: AttackNoise) -> Images:
        """Returns images that are one level brighter."""
        return images + 1 / 255

    def budget(self) -> Budget:
        """Returns zeros."""
        return Budget(queries=0, gradients=0)


class Stopwatch:
    """Measures work on a device.

    Args:
        device: Where the work is done; a GPU is waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        # The processor's time does not grow where others use the machine, but counts every thread.
        alone = device.type == "cpu" and torch.get_num_threads() == 1
        self.clock = time.process_time if alone else time.perf_counter

    def once(self, work: Callable[[], object]) -> float:
        """Returns the seconds of one run."""
        start = self.now()
        work()
        return self.now() - start

    def steady(self, work: Callable[[], object]) -> float:
        """Returns the median seconds of a few runs after a first one, which may choose kernels and fill caches."""
        work()
        found: list[float] = []
        while not found or (sum(found) < LEAST and len(found) < MOST_RUNS):
            found.append(self.once(work))
        return median(found)

    def now(self) -> float:
        """Returns the time at which all work that was begun is done."""
        return finished_at(self.device, self.clock)


def measure_metric(name: str, preset: Preset, out: Path, device: str) -> PassSpeed:
    """Returns what passes of a metric cost on the images of a preset, in batches as a run has them.

    Raises:
        BenchError: If the metric, a data set or the device does not exist.
        DataError: If the metric cannot be built, or fails on the images.
        TransientError: If the GPU is lost.
    """
    entry = lookup.find("metrics", name)
    if reason := entry.problem or missing(entry) or provide(entry):
        raise DataError(f"{name}: {reason}")
    if entry.kind == "video":
        raise DataError(f"{name}: speeds are measured on images, and it rates clips: the plan goes by its last runs")
    make_deterministic()
    runner = MetricRunner(entry, out, Compute(device))
    dataset = open_dataset(preset.datasets[0], preset.limit, preset.frames)
    distortion = settings_of(preset).distortions[0] if entry.full_reference else NONE
    photos = _typical(dataset, runner)
    while True:
        try:
            return _metric_speed(runner, dataset, distortion, photos, Stopwatch(runner.device))
        except BenchError:
            raise
        except Exception as error:  # contributed code may raise anything
            if not out_of_memory(error) or len(photos) == 1:
                raise DataError(f"{name}: its speed cannot be measured: {reason_of(error)}") from error
        free_memory()
        photos = photos[: len(photos) // 2]


def measure_attack(name: str, preset: Preset, out: Path, device: str) -> PassSpeed:
    """Returns what an attack's own arithmetic costs on the images of a preset, surrogates included.

    Raises:
        BenchError: If the attack, a data set or the device does not exist.
        DataError: If the attack or a metric that it needs cannot be built, or fails.
        TransientError: If the GPU is lost.
    """
    entry = lookup.find("attacks", name)
    if entry.problem:
        raise DataError(f"{name}: {entry.problem}")
    for needed in Cell(entry, entry, {}, Settings()).needed():
        if reason := needed.problem or missing(needed) or provide(needed):
            raise DataError(f"{name}, which needs {needed.name}: {reason}")
    make_deterministic()
    attack = attack_variants(entry, replace(settings_of(preset), variants=False))[""]
    fields = {"batch_dependent": False, "smallest": 1}
    flat = MetricRunner(Entry("brightness", "metrics", fields=fields), out, Compute(device), network=Brightness)
    dataset = open_dataset(preset.datasets[0], preset.limit, preset.frames)
    watch = Stopwatch(flat.device)
    try:
        if isinstance(attack, Universal):
            return _speed("attacks", name, flat, attack.crop**2, trial=_step(attack, entry, flat, watch))
        photos = _typical(dataset, flat)
        part = dataset.part(photo.name for photo in photos)
        seconds = _own(attack, entry, flat, part, watch)
    except BenchError:
        raise
    except Exception as error:  # contributed code may raise anything
        raise DataError(f"{name}: its speed cannot be measured: {reason_of(error)}") from error
    return _speed("attacks", name, flat, photos[0].height * photos[0].width, trial=seconds)


def name_of_device(name: str) -> str:
    """Returns what speeds call a device of this machine: cpu, or the GPU's name.

    Raises:
        BenchError: If this machine has no such device.
    """
    device = open_device(name)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _typical(dataset: Dataset, runner: MetricRunner) -> list[Photo]:
    """Returns the largest batch of a data set, as a run has it."""
    return max(dataset.batches(runner.rule), key=len)


def _metric_speed(
    runner: MetricRunner, dataset: Dataset, distortion: Distortion, photos: list[Photo], watch: Stopwatch
) -> PassSpeed:
    def load() -> Batch:
        return load_batch(photos, dataset.crop, distortion, paired=runner.entry.full_reference)

    batch = load()
    names = [photo.name for photo in batch.photos]
    if not names:
        raise DataError(f"{runner.entry.name}: none of the images that measure its speed can be decoded")
    images, references = runner.on_device(batch)
    trial = Trial("brighten", Brighten())
    search = search_of(runner, dataset, distortion).metric

    def objective() -> MetricObjective:
        scorer = runner.defended(names, search) or search
        made = objective_of(scorer, images, references, trial, Surrogates(), dtype=torch.float32)
        made.access = "white"
        return made

    begin_memory(runner.device)
    first = watch.once(lambda: objective()(images))
    forward = watch.steady(lambda: objective()(images))
    gradient = watch.steady(lambda: objective().gradient(images)) if runner.entry.fields["differentiable"] else 0
    clear = ClearScores(torch.zeros(len(names)), {})
    part = replace(dataset, photos=list(batch.photos))
    assess = Assessors.of(runner, {}, part, distortion, clear)

    def whole_trial() -> None:
        fresh = load()
        ready, originals = runner.on_device(fresh)
        attacked = attack_batch(ready, names, objective(), trial)
        list(assess(attacked.images, ready, originals, fresh))

    seconds = watch.steady(whole_trial)
    count = len(names)
    return _speed(
        "metrics",
        runner.entry.name,
        runner,
        images[0, 0].numel(),
        start=max(0, first - forward),
        forward=forward / count,
        gradient=gradient / count,
        trial=seconds / count,
    )


def _own(attack: Attack, entry: Entry, flat: MetricRunner, part: Dataset, watch: Stopwatch) -> float:
    """Returns the seconds of an attack on an image of a part of a data set, by a metric that costs nothing."""
    batch = load_batch(part.photos, part.crop)
    images, _ = flat.on_device(batch)
    names = [photo.name for photo in batch.photos]
    cell = Cell(flat.entry, entry, {}, Settings())
    surrogates = surrogates_of(flat, cell.needed(), part, NONE).of(batch.photos)
    trial = Trial(entry.name, attack)

    def run() -> None:
        objective = objective_of(flat.metric, images, None, trial, surrogates, dtype=torch.float32)
        attack(images, objective, ImageNoise(entry.name, names))

    return watch.steady(run) / len(names)


def _step(attack: Universal, entry: Entry, flat: MetricRunner, watch: Stopwatch) -> float:
    """Returns the seconds of a step of a fit for one crop, from its bytes to the next state, without the metric's."""
    state = {name: each.to(flat.device) for name, each in attack.begin(ImageNoise(entry.name, ["speed"])).items()}
    crops = list(np.random.default_rng(0).integers(0, 256, (attack.batch, attack.crop, attack.crop, 3), np.uint8))

    def step() -> None:
        images = to_tensor(crops).to(flat.device)
        with torch.no_grad():
            list(attack.fit([(images, CropObjective(flat.metric, None, torch.float32, attack.batch))], state))

    return watch.steady(step) / attack.batch


def _speed(folder: str, name: str, runner: MetricRunner, pixels: int, **seconds: float) -> PassSpeed:
    device, kind = runner.device, name_of_device(str(runner.device))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    nothing = {"start": 0.0, "forward": 0.0, "gradient": 0.0, "trial": 0.0}
    return PassSpeed(folder, name, kind, pixels, **(nothing | seconds), gpu_memory=peak_memory(device), measured=now)
