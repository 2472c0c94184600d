"""What universal attacks cost beside the metric: a fit against bare gradients, an evaluation against bare scores.

`python -m benchmarks.universal` fits patterns on photographs on the disk and evaluates one at three amplitudes, in turn
with the metric's own passes over as many images that are in memory already: forward and backward, forward alone.

Meant for a machine that does nothing else; where others compute too, `--clock cpu` counts this process's own work.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import NamedTuple

import torch
from rich.table import Table

from attacks.base import Images
from benchmarks.photographs import write_crops
from benchmarks.speed import CPU, Clock, Row, metric_entry, silent, speed_app, timed
from metrics.base import Metric
from pipeline.catalogue import lookup
from pipeline.cells.cell import Cell
from pipeline.cells.distortion import NONE
from pipeline.cells.settings import Settings
from pipeline.data.dataset import open_dataset
from pipeline.data.images import load_recent
from pipeline.engine.cell import CellRun
from pipeline.engine.metric.runner import MetricRunner
from pipeline.engine.universal.crops import Crops
from pipeline.engine.universal.patterns import patterns_of

ATTACKS = ("cumulative_uap", "optimized_uap", "generative_uap")
BATCH = 8


class Workload(NamedTuple):
    """What is measured."""

    metric: str
    images: int
    side: int  # of the photographs, in pixels
    crop: int
    epochs: int
    repetitions: int


WORKLOADS = (
    Workload("resnet50", 16, 320, 256, 1, 3),
    Workload("mobilenet_v3_small", 16, 320, 256, 2, 5),
)
QUICK = (Workload("mobilenet_v3_small", 8, 64, 48, 2, 1),)


def measure(workload: Workload, folder: Path, clock: Clock) -> list[Row]:
    """Runs every attack and its yardsticks in turn; returns a row per attack.

    Returns:
        Rows with the ratios' medians and ranges: `fit` over forward and backward passes of as many crops, `evaluation`
        at three amplitudes over as many forward passes.
    """
    write_crops(folder / "photographs", workload.images, workload.side)
    dataset = open_dataset(str(folder / "photographs"))
    entry = metric_entry(workload.metric)
    overrides = {"crop": str(workload.crop), "batch": str(BATCH), "epochs": str(workload.epochs)}
    data = {dataset.name: dataset.digest}
    crops = Crops(dataset, workload.crop, NONE, paired=False)
    steps = [batch.images for batch in crops.batches(crops.steps(BATCH, workload.epochs))]
    runner = MetricRunner(entry, folder, CPU, batch=BATCH)
    images = [load_recent(tuple(photos), None).images for photos in dataset.batches(runner.rule)]
    runner.clear(dataset)  # builds the metric, and leaves the clear scores
    rows = []
    for name in ATTACKS:
        cell = Cell(entry, lookup.find("attacks", name), data, Settings(overrides=overrides), data)
        ratios: dict[str, list[float]] = {"fit": [], "evaluation": []}
        for number in range(workload.repetitions):
            fresh = MetricRunner(entry, folder / f"{name}{number}", CPU, batch=BATCH)
            fresh.__dict__["metric"] = runner.metric  # built before the clock runs
            fresh.clear(dataset)
            load_recent.cache_clear()
            patterns, fit = timed(clock, patterns_of, fresh, cell, [dataset], silent)
            _, bare_fit = timed(clock, gradients, runner.metric, steps)
            outcome, evaluation = timed(clock, CellRun(fresh, cell, silent, patterns=patterns).run, [dataset])
            _, bare_evaluation = timed(clock, scores, runner.metric, images * 3)
            assert len(outcome.rows) == 3 * workload.images
            ratios["fit"].append(fit / bare_fit)
            ratios["evaluation"].append(evaluation / bare_evaluation)
        rows.append(
            {
                "metric": workload.metric,
                "attack": name,
                "crops": workload.images * workload.epochs,
                **{what: round(statistics.median(found), 3) for what, found in ratios.items()},
                **{f"{what}_spread": [round(min(found), 3), round(max(found), 3)] for what, found in ratios.items()},
                "repetitions": workload.repetitions,
            }
        )
    return rows


def gradients(metric: Metric, batches: list[Images]) -> None:
    """Takes the gradient of every image's score."""
    for images in batches:
        given = images.detach().requires_grad_()
        torch.autograd.grad(metric.unchecked(given).sum(), given)


@torch.no_grad()
def scores(metric: Metric, batches: list[Images]) -> None:
    """Scores every image."""
    for images in batches:
        metric.unchecked(images).tolist()


def table(rows: list[Row]) -> Table:
    """Returns the rows for people: medians and ranges."""
    view = Table(title=f"times the metric's own passes, {torch.get_num_threads()} threads", box=None)
    for heading in ("metric", "attack", "crops", "fit", "evaluation"):
        view.add_column(heading, justify="left" if heading in {"metric", "attack"} else "right", no_wrap=True)
    for row in rows:
        cells = [f"{row[what]:.2f} ({'-'.join(map(str, row[f'{what}_spread']))})" for what in ("fit", "evaluation")]
        view.add_row(row["metric"], row["attack"], str(row["crops"]), *cells)
    return view


app = speed_app(
    "Measures what universal attacks cost beside the metric's own passes.", WORKLOADS, QUICK, measure, table
)

if __name__ == "__main__":
    app()
