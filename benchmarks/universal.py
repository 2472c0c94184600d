"""What universal attacks cost beyond the metric: a fit against bare gradients, an evaluation against bare scores.

`python -m benchmarks.universal` fits patterns on photographs on the disk and evaluates one at three amplitudes. In turn
with them it runs the metric's own passes over as many images that are in memory already: forward and backward for the
fit, forward alone for the evaluation.

Run it on a machine that does nothing else; where others compute too, `--clock cpu` counts only this process's work.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks.photographs import open_crops
from benchmarks.ratios import Better
from benchmarks.speed import (
    Clock,
    Row,
    Workload,
    gradients,
    median,
    metric_entry,
    ranged,
    scores,
    silent,
    speed_app,
    spread,
    timed,
    titled_table,
)
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.images import load_recent
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.device import Compute
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.metric.search import search_of
from metric_robustness.pipeline.engine.universal.crops import Crops
from metric_robustness.pipeline.engine.universal.patterns import patterns_of

ATTACKS = ("cumulative_uap", "optimized_uap", "generative_uap")
BATCH = 8  # crops of a fit's step, and images of a batch
AMPLITUDES = 3  # at which an evaluation adds a pattern


@dataclass(frozen=True)
class FitWorkload(Workload):
    """Photographs that a pattern is fitted on and evaluated on."""

    crop: int  # side of the training crops, in pixels
    epochs: int


RATIOS: dict[str, Better] = {"fit": "lower", "evaluation": "lower"}
WORKLOADS = (
    FitWorkload("resnet50", 16, 320, 3, crop=256, epochs=1),
    FitWorkload("mobilenet_v3_small", 16, 320, 5, crop=256, epochs=2),
)
QUICK = (FitWorkload("mobilenet_v3_small", 8, 64, 1, crop=48, epochs=2),)


def measure(workload: FitWorkload, folder: Path, clock: Clock) -> list[Row]:
    """Runs every attack and its yardsticks in turn.

    Returns:
        A row per attack with the medians and ranges of two ratios: `fit` over the forward and backward passes of as
        many crops, and `evaluation` over as many forward passes.
    """
    dataset = open_crops(folder, workload.images, workload.side)
    entry = metric_entry(workload.metric)
    sizes = {"crop": workload.crop, "batch": BATCH, "epochs": workload.epochs, "least_steps": 1}
    overrides = {name: str(value) for name, value in sizes.items()}
    data = {dataset.name: dataset.digest}
    crops = Crops(dataset, workload.crop, NONE, paired=False)
    steps = [batch.images for batch in crops.batches(crops.steps(BATCH, workload.epochs))]
    runner = MetricRunner(entry, folder, Compute(batch=BATCH))
    images = [load_recent(tuple(photos), None).images for photos in dataset.batches(runner.rule)]
    runner.clear(dataset)  # builds the metric before the clock runs
    search_of(runner, dataset, NONE)  # and its copy: `benchmarks.engine` says what that takes, once per metric
    rows = []
    for name in ATTACKS:
        cell = Cell(entry, lookup.find("attacks", name), data, Settings(overrides=overrides), data)
        ratios: dict[str, list[float]] = {"fit": [], "evaluation": []}
        for number in range(workload.repetitions):
            fresh = MetricRunner(entry, folder / f"{name}{number}", Compute(batch=BATCH))
            fresh.__dict__["metric"] = runner.metric  # is built already
            fresh.copy, fresh.searches = runner.copy, runner.searches
            fresh.clear(dataset)
            load_recent.cache_clear()
            patterns, fit = timed(clock, patterns_of, fresh, cell, [dataset], silent)
            _, bare_fit = timed(clock, gradients, runner.metric, steps)
            outcome, evaluation = timed(clock, CellRun(fresh, cell, silent, patterns=patterns).run, [dataset])
            _, bare_evaluation = timed(clock, scores, runner.metric, images * AMPLITUDES)
            assert len(outcome.rows) == AMPLITUDES * workload.images
            ratios["fit"].append(fit / bare_fit)
            ratios["evaluation"].append(evaluation / bare_evaluation)
        rows.append(
            {
                "metric": workload.metric,
                "attack": name,
                "crops": workload.images * workload.epochs,
                **{what: median(found) for what, found in ratios.items()},
                **{f"{what}_spread": spread(found) for what, found in ratios.items()},
                "repetitions": workload.repetitions,
            }
        )
    return rows


def table(rows: list[Row]) -> Table:
    """Returns the rows for people: medians and ranges."""
    view = titled_table("times the metric's own passes", ("metric", "attack"), ("crops", "fit", "evaluation"))
    for row in rows:
        cells = [ranged(row[what], row[f"{what}_spread"]) for what in ("fit", "evaluation")]
        view.add_row(row["metric"], row["attack"], str(row["crops"]), *cells)
    return view


app = speed_app(
    "Measures what universal attacks cost beyond the metric's own passes.", WORKLOADS, QUICK, measure, table
)

if __name__ == "__main__":
    app()
