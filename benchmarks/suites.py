"""What the strong suite costs: beside the base suite, and beside the bare passes that it cannot avoid.

`python -m benchmarks.suites` runs the default settings of every attack of both suites on a few photographs, the strong
suite once more within the smaller budgets of the nightly run, and then only the passes that the strong attacks ask for
within one, in one process and in turn. An attack that a scout must call is not run: on a metric with true gradients it
takes four images, of a night's 256.

Run it on a machine that does nothing else; where others compute too, `--clock cpu` counts only this process's work.
"""

from __future__ import annotations

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
from metric_robustness.metrics.base import Images, Metric
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell, is_universal
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.config import load
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import load_batch, load_recent
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.metric.runner import MetricRunner

RATIOS: dict[str, Better] = {"over_base": "lower", "over_one_budget": "lower", "over_bare": "lower"}
WORKLOADS = (Workload("resnet50", 2, 224, 2), Workload("mobilenet_v3_small", 4, 299, 2))
QUICK = (Workload("mobilenet_v3_small", 2, 128, 1),)


def suite(name: str) -> list[Entry]:
    """Returns the attacks of a suite, but for universal ones, whose cost is that of their fit, and for scouted ones."""
    attacks = [attack for attack in lookup.entries("attacks").values() if attack.fields["suite"] == name]
    return [attack for attack in attacks if not is_universal(attack) and not attack.fields["scout"]]


def measure(workload: Workload, folder: Path, clock: Clock) -> list[Row]:
    """Returns the workload's row: seconds per image of each suite, and the three ratios."""
    dataset = open_crops(folder, workload.images, workload.side)
    runner = MetricRunner(metric_entry(workload.metric), folder)
    images = load_batch(dataset.photos, None).images
    spent: dict[str, list[float]] = {"base": [], "strong": [], "budgets": [], "bare": []}
    smaller = load().preset("nightly").budgets
    for number in range(workload.repetitions):
        for what, name, budgets in (("base", "base", ()), ("strong", "strong", ()), ("budgets", "strong", smaller)):
            runner.out = folder / f"{what}{number}"  # an empty folder, without scores of earlier repetitions
            settings = Settings(variants=False, budgets=budgets)
            spent[what].append(timed(clock, run, runner, suite(name), dataset, settings)[1])
        spent["bare"].append(timed(clock, bare, runner.metric, suite("strong"), images)[1])
    over_base = [strong / base for strong, base in zip(spent["strong"], spent["base"], strict=True)]
    over_one = [budgets / strong for budgets, strong in zip(spent["budgets"], spent["strong"], strict=True)]
    over_bare = [strong / alone for strong, alone in zip(spent["strong"], spent["bare"], strict=True)]
    return [
        {
            "metric": workload.metric,
            **{f"{name}_seconds_per_image": median(times) / workload.images for name, times in spent.items()},
            "over_base": median(over_base),
            "over_base_spread": spread(over_base),
            "over_one_budget": median(over_one),
            "over_one_budget_spread": spread(over_one),
            "over_bare": median(over_bare),
            "over_bare_spread": spread(over_bare),
        }
    ]


def run(runner: MetricRunner, attacks: list[Entry], dataset: Dataset, settings: Settings) -> None:
    """Runs the cells of some attacks as `python -m pipeline run` does."""
    load_recent.cache_clear()  # forgets the photographs of an earlier repetition
    for attack in attacks:
        cell = Cell(runner.entry, attack, {dataset.name: dataset.digest}, settings)
        CellRun(runner, cell, silent).run([dataset])


def bare(metric: Metric, attacks: list[Entry], images: Images) -> None:
    """Takes the passes that attacks ask for, without an attack: clear scores once, then gradients, queries, scores."""
    batches = [images[start : start + 16] for start in range(0, len(images), 16)]
    scores(metric, batches)
    for attack in attacks:
        budget = attack.load()().budget()
        for _ in range(budget.gradients):
            gradients(metric, batches)
        for _ in range(budget.queries - budget.gradients + 1):
            scores(metric, batches)


def table(rows: list[Row]) -> Table:
    """Returns the rows for people."""
    view = titled_table(
        "Strong suite", ("metric",), ("base s", "strong s", "over base", "all budgets over one", "over bare passes")
    )
    for row in rows:
        seconds = [f"{row[f'{name}_seconds_per_image']:.2f}" for name in ("base", "strong")]
        ratios = [ranged(row[name], row[f"{name}_spread"]) for name in ("over_base", "over_one_budget", "over_bare")]
        view.add_row(row["metric"], *seconds, *ratios)
    return view


app = speed_app("Measures the strong suite beside the base one and bare passes.", WORKLOADS, QUICK, measure, table)

if __name__ == "__main__":
    app()
