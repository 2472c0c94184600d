"""How many seconds and how much GPU memory a job is expected to take, and whether that was measured or is a guess."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Self

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.few_images import MOST, scouted
from metric_robustness.pipeline.cells.fit import Fit
from metric_robustness.pipeline.cells.speed import PassSpeed, Speeds, read_speeds
from metric_robustness.pipeline.ci.fit_history import FitHistory, read_fit_history
from metric_robustness.pipeline.ci.history import History, Past, read_history
from metric_robustness.pipeline.ci.inventory import Inventory
from metric_robustness.pipeline.ci.spending import Spending, Spendings, crops_of, side_of, trial, variants_of

CONTAINER = 20.0  # seconds in which GitLab starts a job's container and checks the code out: a guess
JOB = 5.0  # seconds of a job's own start and end, imports above all: measured on 2 cores
RESERVE = 2  # GB of a GPU that the driver and the libraries take
PROBE = Spending(queries=58, gradients=23, trials=0, runs=0)  # on each of at most MOST images; see engine/probe.py
GPU = 50  # a GPU is taken to be so many times as fast as a CPU core while no metric was measured on both: a guess
PIXELS = 299 * 299  # of the images that these guesses are about
# Seconds on one CPU core of a metric that was measured nowhere, nor any like it, by the metric's cost: a guess.
LIGHT = PassSpeed(
    "metrics", "", "cpu", PIXELS, start=5, forward=0.04, gradient=0.12, trial=0.05, gpu_memory=0, measured=""
)
HEAVY = LIGHT._replace(start=15, forward=0.3, gradient=0.9, trial=0.3)
NOTHING = LIGHT._replace(folder="attacks", start=0, forward=0, gradient=0, trial=0)  # of an attack without arithmetic

MEASURED, LAST = "as measured", "as last time"
OTHERS = "by other attacks' own arithmetic"
KNOWN = (LAST, MEASURED)  # what is neither is a guess


class JobSeconds(NamedTuple):
    """The seconds of a job, and where they come from: MEASURED, LAST, or in words what the guess goes by."""

    seconds: float
    basis: str

    @property
    def guessed(self) -> bool:
        """Returns whether this is a guess."""
        return self.basis not in KNOWN


class KnownSpeed(NamedTuple):
    """The speed of an entry on this pipeline's devices, and where it comes from."""

    speed: PassSpeed
    basis: str


@dataclass(frozen=True)
class Experience:
    """What is known of earlier runs and measurements.

    Attributes:
        cells: results/cells.csv.
        fits: results/fits.csv.
        speeds: results/speeds.csv.
    """

    cells: History = field(default_factory=dict)
    fits: FitHistory = field(default_factory=dict)
    speeds: Speeds = field(default_factory=dict)

    @classmethod
    def read(cls) -> Self:
        """Returns what results/ holds.

        Raises:
            DataError: If a file cannot be read.
        """
        results = places.results()
        fits, speeds = read_fit_history(results / "fits.csv"), read_speeds(results / "speeds.csv")
        return cls(read_history(results / "cells.csv"), fits, speeds)


class Estimates:
    """Estimates of the jobs of one pipeline.

    Args:
        experience: What is known.
        inventory: The images.
        devices: The kinds of devices that the jobs run on: cpu, or the titles of GPUs. Where a metric was measured on
            several of them, the slowest counts.
    """

    def __init__(self, experience: Experience, inventory: Inventory, devices: Iterable[str] = ("cpu",)) -> None:
        self.experience, self.inventory, self.devices = experience, inventory, tuple(devices)
        self.spendings = Spendings()
        self.known: dict[tuple[str, str], KnownSpeed] = {}
        self.surrogates: dict[str, list[Entry]] = {}  # by the attack's name
        self.scouts: dict[str, list[Spending]] = {}  # likewise
        self.fits: dict[str, JobSeconds] = {}  # by the fit's key
        self.of_metric: defaultdict[str, list[Past]] = defaultdict(list)  # cells that were run, on these devices
        for past in experience.cells.values():
            if past.seconds and past.passes and self._is_here(past.device):
                self.of_metric[past.metric].append(past)

    def past(self, cell: Cell) -> Past | None:
        """Returns what the history knows of a cell, whose label tells a bare cell from one with defences."""
        return self.experience.cells.get((cell.metric.name, cell.label))

    def cell(self, cell: Cell) -> JobSeconds:
        """Returns the seconds of a cell's job: as last time, else by its passes."""
        metric, work, images = self.metric(cell.metric), self.spendings.of(cell), self.inventory.images
        start = CONTAINER + JOB + metric.speed.start + self._scout(cell, metric.speed)
        past = self.past(cell)
        if past and past.status == "done" and past.finished and self._is_here(past.device):
            scale = images * work.passes / past.passes if past.passes else 1
            return JobSeconds(start + past.seconds * scale, LAST)
        if others := [] if metric.basis == MEASURED else self.of_metric[cell.metric.name]:
            pace = statistics.median(each.seconds / each.passes for each in others)
            return JobSeconds(start + images * work.passes * pace, "by the metric's other cells")
        own = self._arithmetic(cell.attack) if work.queries else KnownSpeed(NOTHING, MEASURED)
        needed = self._needed(cell)
        if own.basis != OTHERS:  # what an attack's own arithmetic was measured with
            needed = [entry for entry in needed if not entry.full_reference]
        surrogates = [self.metric(entry) for entry in needed]
        seconds = 0.0
        for held in self.inventory.datasets.values():
            each = _price(work, metric.speed.at(held.pixels)) + work.runs * own.speed.at(held.pixels).trial
            for surrogate, entry in zip(surrogates, needed, strict=True):
                other = surrogate.speed.at(held.pixels)
                # A full-reference surrogate is asked with every gradient, any other for the clear image alone.
                each += work.gradients * other.gradient if entry.full_reference else other.forward
            each += len(cell.settings.defences) * work.trials * metric.speed.at(held.pixels).trial
            seconds += held.images * each
        bases = [metric.basis, own.basis, *(surrogate.basis for surrogate in surrogates)]
        if not work.known:
            bases.append("by the passes of I-FGSM")
        if cell.settings.defences:
            bases.append("without the seconds of the defences")
        return JobSeconds(start + seconds, _worst(bases))

    def fit(self, fit: Fit) -> JobSeconds:
        """Returns the seconds of a fit's job, which makes the patterns of all variants."""
        if fit.key not in self.fits:
            self.fits[fit.key] = self._fit(fit)
        return self.fits[fit.key]

    def _fit(self, fit: Fit) -> JobSeconds:
        metric, own = self.metric(fit.metric), self._arithmetic(fit.attack)
        held = self.inventory.train.get(fit.train)
        crops, start = crops_of(fit, held.images if held else 0), CONTAINER + JOB + metric.speed.start
        past = [
            each
            for key, each in self.experience.fits.items()
            if key[:2] == (fit.metric.name, fit.attack.name) and each.crops and self._is_here(each.device)
        ]
        if past:
            pace, basis = statistics.median(each.seconds / each.crops for each in past), LAST
        else:
            pixels = side_of(fit) ** 2
            pace = metric.speed.at(pixels).gradient + own.speed.at(pixels).trial
            basis = _worst([metric.basis, own.basis])
        return JobSeconds(start + variants_of(fit) * crops * pace, basis)

    def calibration(self, metric: Entry) -> JobSeconds:
        """Returns the seconds of the job that scores a metric's clear images and probes it."""
        known = self.metric(metric)
        seconds = CONTAINER + JOB + known.speed.start
        for held in self.inventory.datasets.values():
            speed = known.speed.at(held.pixels)
            seconds += held.images * speed.trial + min(MOST, held.images) * _price(PROBE, speed)
        return JobSeconds(seconds, known.basis)

    def memory(self, cell: Cell) -> float:
        """Returns the GB of GPU memory that a cell's job needs: as declared, or less where less was measured.

        A larger measured value does not count: the engine fills a large GPU with large batches, and on a smaller GPU
        it takes smaller ones.
        """
        declared, past = float(cell.gpu_memory), self.past(cell)
        found = past.gpu_memory if past else 0
        return min(declared, found + RESERVE) if found else declared

    def metric(self, entry: Entry) -> KnownSpeed:
        """Returns a metric's speed on these devices."""
        return self._known(entry, lambda: self._guess(entry))

    def _arithmetic(self, entry: Entry) -> KnownSpeed:
        """Returns the own arithmetic of an attack or a fit; only the speed's `trial` means something."""

        def guess() -> KnownSpeed:
            others = [(self._attacks.get(name), speed) for name, speed in self._here("attacks").items()]
            paces = [
                speed.at(PIXELS).trial / (spent.queries + spent.gradients)
                for other, speed in others
                if other and not other.problem and (spent := trial(other)).queries
            ]
            own = trial(entry)
            typical = statistics.median(paces) * (own.queries + own.gradients) if paces else 0
            return KnownSpeed(NOTHING._replace(trial=typical), OTHERS)

        return self._known(entry, guess)

    def _known(self, entry: Entry, guess: Callable[[], KnownSpeed]) -> KnownSpeed:
        """Returns the speed of an entry: measured here, or elsewhere, or guessed."""
        key = entry.folder, entry.name
        if key not in self.known:
            here, elsewhere = self._here(entry.folder).get(entry.name), self._elsewhere.get(key)
            if here:
                self.known[key] = KnownSpeed(here, MEASURED)
            elif elsewhere:
                factor = self._factor(elsewhere.device)
                self.known[key] = KnownSpeed(elsewhere.at(elsewhere.pixels, factor), f"by {elsewhere.device}")
            else:
                self.known[key] = guess()
        return self.known[key]

    def _guess(self, metric: Entry) -> KnownSpeed:
        """Returns the speed of a metric that was measured nowhere."""
        if metric.bare:
            bare = self.metric(metric.bare)
            return KnownSpeed(
                bare.speed, bare.basis if metric.trained else f"by {metric.bare.name} without the defence"
            )
        family, entries = _family(metric), self._metrics
        alike = [
            speed.at(PIXELS)
            for name, speed in self._here("metrics").items()
            if name in entries and entries[name] == family
        ]
        if alike:
            numbers = ("start", "forward", "gradient", "trial")
            typical = {name: statistics.median(getattr(speed, name) for speed in alike) for name in numbers}
            return KnownSpeed(LIGHT._replace(**typical), "by the median of like metrics")
        typical_of_cost = HEAVY if metric.fields.get("cost") == "heavy" else LIGHT
        return KnownSpeed(typical_of_cost.at(PIXELS, self._factor("cpu")), "by nothing measured")

    @cached_property
    def _metrics(self) -> dict[str, tuple[str, str, bool]]:
        """Returns the family of every metric of the checkout."""
        return {name: _family(entry) for name, entry in lookup.entries("metrics").items()}

    @cached_property
    def _attacks(self) -> dict[str, Entry]:
        return lookup.entries("attacks")

    def _needed(self, cell: Cell) -> list[Entry]:
        """Returns the surrogates of a cell's attack, which are looked up once."""
        name = cell.attack.name
        if name not in self.surrogates:
            self.surrogates[name] = cell.needed()
        return self.surrogates[name]

    def _here(self, folder: str) -> Mapping[str, PassSpeed]:
        return self._by_folder[folder]

    @cached_property
    def _by_folder(self) -> Mapping[str, dict[str, PassSpeed]]:
        """Returns the speeds on these devices, by folder and name; of several the slowest."""
        found: dict[str, dict[str, PassSpeed]] = {"metrics": {}, "attacks": {}}
        for (folder, name, device), speed in self.experience.speeds.items():
            if self._is_here(device):
                there = found[folder].get(name)
                found[folder][name] = max(filter(None, (there, speed)), key=_total)
        return found

    @cached_property
    def _elsewhere(self) -> dict[tuple[str, str], PassSpeed]:
        """Returns the speeds on other devices, by folder and name; a GPU stands for a GPU."""
        others = sorted(self.experience.speeds.items(), key=lambda item: (item[0][2] == "cpu") == self._on_cpu)
        return {(folder, name): speed for (folder, name, device), speed in others if not self._is_here(device)}

    @property
    def _on_cpu(self) -> bool:
        return self.devices == ("cpu",)

    def _is_here(self, device: str) -> bool:
        return not device or any(each in device for each in self.devices)

    def _factor(self, device: str) -> float:
        """Returns how many times as long a pass takes here as on another device, by what was measured on both."""
        speeds = self.experience.speeds
        ratios = [
            _total(speed) / _total(other)
            for name, speed in self._here("metrics").items()
            if (other := speeds.get(("metrics", name, device))) and _total(other)
        ]
        if ratios and not self._is_here(device):
            return statistics.median(ratios)
        if (device == "cpu") == self._on_cpu:
            return 1
        return GPU if self._on_cpu else 1 / GPU

    def _scout(self, cell: Cell, speed: PassSpeed) -> float:
        """Returns the seconds in which a scout finds out whether the attack is needed."""
        scouts: Mapping[str, Mapping[str, Any]] = cell.attack.fields.get("scout", {})
        if not scouts or not cell.metric.fields.get("differentiable", True):
            return 0
        if cell.attack.name not in self.scouts:
            tried = [trial(self._attacks[name], changes) for name, changes in scouts.items() if name in self._attacks]
            self.scouts[cell.attack.name] = tried
        each = sum(_price(work, speed) for work in self.scouts[cell.attack.name])
        return sum(scouted(held.images) * each for held in self.inventory.datasets.values())


def _price(work: Spending, speed: PassSpeed) -> float:
    """Returns the seconds of the passes over one image."""
    queries = work.queries - work.gradients
    return queries * speed.forward + work.gradients * speed.gradient + work.trials * speed.trial


def _total(speed: PassSpeed) -> float:
    """Returns what passes cost on an image of one size, so that speeds on images of several sizes can be compared."""
    speed = speed.at(PIXELS)
    return speed.forward + speed.gradient + (speed.trial if speed.folder == "attacks" else 0)


def _family(metric: Entry) -> tuple[str, str, bool]:
    """Returns what metrics that cost alike have in common: kind, declared cost, and whether others trained them."""
    downloads = any(not weight.startswith("weights/") for weight in metric.fields.get("weights", ()))
    return metric.kind, metric.fields.get("cost", "light"), downloads


def _worst(bases: Iterable[str]) -> str:
    """Returns the first guess among the sources of an estimate."""
    return next((basis for basis in bases if basis not in KNOWN), MEASURED)
