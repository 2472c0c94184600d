"""How near `plan` comes to the real seconds of cells and fits: python -m benchmarks.plans.estimates [--json].

Measures each metric and attack as `calibrate --speeds` does, estimates the cells by that, runs them, and compares. On
one thread all seconds are the processor's, so that a busy machine changes little.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import torch

from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.fit import Fit
from metric_robustness.pipeline.cells.settings import settings_of
from metric_robustness.pipeline.cells.speed import Speeds
from metric_robustness.pipeline.ci.estimates import CONTAINER, JOB, Estimates, Experience
from metric_robustness.pipeline.ci.inventory import Inventory, take_inventory
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import load_recent
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.speed import Stopwatch, measure_attack, measure_metric
from metric_robustness.pipeline.engine.universal.fit import FitRun

ATTACKS = ("ifgsm", "adam", "madc", "apgd", "stadv", "korhonen", "amifgsm", "mifgsm", "ssah", "fgsm")
BLACK = ("square", "enhance")
SLOW = {"mad"}  # a second a query: one gradient must do
FITS = [("psnr", "optimized_uap"), ("ssim", "generative_uap"), ("small_cnn", "cumulative_uap")]
CPU = torch.device("cpu")


class Compared(NamedTuple):
    """A cell's seconds without the start of its job."""

    metric: str
    attack: str
    estimated: float
    real: float

    @property
    def ratio(self) -> float:
        """Returns the estimated seconds over the real ones."""
        return self.estimated / self.real


def compare(pairs: Iterable[tuple[str, str]], preset: config.Preset, out: Path) -> list[Compared]:
    """Returns the estimated and the real seconds of cells.

    Args:
        pairs: Names of metrics and attacks.
        preset: Whose images and settings are used; they are attacked without variants.
        out: A folder for unfinished work.
    """
    pairs = list(pairs)
    known = _measured(pairs, preset, out)
    inventory = take_inventory(preset)
    estimates = Estimates(Experience(speeds=known), inventory)
    datasets = [open_dataset(name, preset.limit) for name in preset.datasets]
    settings = replace(settings_of(preset), variants=False)
    found = []
    for metric, attack in pairs:
        cell = Cell(lookup.find("metrics", metric), lookup.find("attacks", attack), inventory.digests, settings)
        runner = MetricRunner(cell.metric, out)
        for dataset in datasets:  # as the job `calibrate` leaves it
            runner.clear(dataset, settings.distortions[0] if cell.metric.full_reference else NONE)
        load_recent.cache_clear()  # a job finds no image decoded
        real = Stopwatch(CPU).once(partial(CellRun(runner, cell, lambda *_: None).run, datasets))
        start = CONTAINER + JOB + known["metrics", metric, "cpu"].start
        found.append(Compared(metric, attack, estimates.cell(cell).seconds - start, real))
    return found


def compare_fits(pairs: Iterable[tuple[str, str]], preset: config.Preset, out: Path) -> list[Compared]:
    """Returns the estimated and the real seconds of fits on a preset's images; the arguments are those of `compare`."""
    pairs = list(pairs)
    known = _measured(pairs, preset, out)
    held = take_inventory(preset).datasets
    estimates = Estimates(Experience(speeds=known), Inventory(datasets=held, train=held))
    dataset = open_dataset(preset.datasets[0], preset.limit)
    settings = replace(settings_of(preset), variants=False)
    found = []
    for metric, attack in pairs:
        entries = lookup.find("metrics", metric), lookup.find("attacks", attack)
        fit = Fit(*entries, "", dataset.name, dataset.digest, settings)
        runner = MetricRunner(fit.metric, out)
        real = Stopwatch(CPU).once(FitRun(runner, fit, dataset, lambda _: None, every=30).run)
        start = CONTAINER + JOB + known["metrics", metric, "cpu"].start
        found.append(Compared(metric, attack, estimates.fit(fit).seconds - start, real))
    return found


def _measured(pairs: list[tuple[str, str]], preset: config.Preset, out: Path) -> Speeds:
    """Returns the speeds of metrics and attacks, as `calibrate --speeds` measures them."""
    speeds = [measure_metric(name, preset, out, "cpu") for name in dict.fromkeys(metric for metric, _ in pairs)]
    speeds += [measure_attack(name, preset, out, "cpu") for name in dict.fromkeys(attack for _, attack in pairs)]
    return {(speed.folder, speed.name, speed.device): speed for speed in speeds}


def all_pairs() -> list[tuple[str, str]]:
    """Returns a cell of every metric that this machine can run without a download, attacks in turn."""
    metrics = [
        entry
        for entry in lookup.entries("metrics").values()
        if not entry.problem and not entry.missing_weights() and entry.kind != "video"
    ]
    white, black = cycle(ATTACKS), cycle(BLACK)
    return [
        (entry.name, "fgsm" if entry.name in SLOW else next(white if entry.fields["differentiable"] else black))
        for entry in metrics
    ]


def main() -> None:
    """Prints the seconds of each cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--preset", default="smoke", help="the preset whose images are attacked")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        preset = config.load().preset(arguments.preset)
        found = compare(all_pairs(), preset, Path(folder)) + compare_fits(
            FITS, preset.model_copy(update={"limit": None}), Path(folder)
        )
    if arguments.json:
        print(json.dumps([{**each._asdict(), "ratio": each.ratio} for each in found]))
        return
    print(f"{'metric':<32}{'attack':<16}{'estimated s':>12}{'real s':>9}{'ratio':>7}")
    for each in found:
        print(f"{each.metric:<32}{each.attack:<16}{each.estimated:12.2f}{each.real:9.2f}{each.ratio:7.2f}")


if __name__ == "__main__":
    main()
