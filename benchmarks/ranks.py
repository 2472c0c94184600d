"""What an attack on the order of a set costs beside the search that it contains.

`python -m benchmarks.ranks` runs the cell of `rank_swap` as a run does, with the clear scores of the set, its targets
and its rows, and then only the search towards these targets, batch by batch, in one process and in turn. A first cell
of one step is not counted: it loads what any run loads once.

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
    median,
    metric_entry,
    ranged,
    silent,
    speed_app,
    spread,
    timed,
    titled_table,
)
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import Batch, load_batch, load_recent
from metric_robustness.pipeline.engine.attack.batch import attack_batch
from metric_robustness.pipeline.engine.attack.passes import Trial
from metric_robustness.pipeline.engine.attack.targets import Targets, targets_of
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.metric.objective import MetricObjective
from metric_robustness.pipeline.engine.metric.runner import MetricRunner

ATTACK = "rank_swap"
RATIOS: dict[str, Better] = {"over_search": "lower"}
WORKLOADS = (Workload("mobilenet_v3_small", 8, 224, 3), Workload("small_cnn", 16, 299, 3))
QUICK = (Workload("mobilenet_v3_small", 8, 96, 1),)


def measure(workload: Workload, folder: Path, clock: Clock) -> list[Row]:
    """Returns the workload's row: seconds per image of the cell and of the search, and their ratio."""
    dataset = open_crops(folder, workload.images, workload.side)
    runner = MetricRunner(metric_entry(workload.metric), folder / "known")
    trial = Trial(ATTACK, lookup.find("attacks", ATTACK).load()())
    names = [photo.name for photo in dataset.photos]
    targets = targets_of(trial.attack, names, runner.clear(dataset).scores)
    batches = [load_batch(photos, None) for photos in dataset.batches(runner.rule)]
    runner.out = folder / "first"
    run(runner, dataset, {"steps": "1"})
    whole: list[float] = []
    search: list[float] = []
    for number in range(workload.repetitions):
        runner.out = folder / f"cell{number}"  # an empty folder, without scores of earlier repetitions
        whole.append(timed(clock, run, runner, dataset, {})[1])
        search.append(timed(clock, searched, runner, trial, targets, batches)[1])
    over = [all_of_it / alone for all_of_it, alone in zip(whole, search, strict=True)]
    return [
        {
            "metric": workload.metric,
            "cell_seconds_per_image": median(whole) / workload.images,
            "search_seconds_per_image": median(search) / workload.images,
            "over_search": median(over),
            "over_search_spread": spread(over),
        }
    ]


def run(runner: MetricRunner, dataset: Dataset, overrides: dict[str, str]) -> None:
    """Runs the cell as `python -m pipeline run` does, with these settings of the attack."""
    load_recent.cache_clear()  # forgets the photographs of an earlier repetition
    attack = lookup.find("attacks", ATTACK)
    cell = Cell(runner.entry, attack, {dataset.name: dataset.digest}, Settings(variants=False, overrides=overrides))
    CellRun(runner, cell, silent).run([dataset])


def searched(runner: MetricRunner, trial: Trial, targets: Targets, batches: list[Batch]) -> None:
    """Searches towards known targets, and does nothing else."""
    for batch in batches:
        names = [photo.name for photo in batch.photos]
        attack_batch(batch.images, names, MetricObjective(runner.metric), trial, targets.of(names, batch.images))


def table(rows: list[Row]) -> Table:
    """Returns the rows for people."""
    view = titled_table("Attack on the order of a set", ("metric",), ("cell s", "search s", "over search"))
    for row in rows:
        seconds = [f"{row[f'{name}_seconds_per_image']:.2f}" for name in ("cell", "search")]
        view.add_row(row["metric"], *seconds, ranged(row["over_search"], row["over_search_spread"]))
    return view


app = speed_app("Measures rank_swap beside the search that it contains.", WORKLOADS, QUICK, measure, table)

if __name__ == "__main__":
    app()
