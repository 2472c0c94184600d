"""What defences cost beyond the metric: scoring through several, and attacking through one.

`python -m benchmarks.defences` measures three ratios, in one process and in turn. The first is scoring clear and
attacked images through four cheap defences over as many bare forward passes. The second is all that these defences add
to a cell (also PSNR and SSIM of purified images, and rows) over the same passes. The third is I-FGSM through each
defence over I-FGSM on the bare metric.

Run it on a machine that does nothing else; where others compute too, `--clock cpu` counts only this process's work.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
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
    scores,
    silent,
    speed_app,
    spread,
    timed,
    titled_table,
)
from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.defended import defended
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import load_recent
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.metric.build import build_defences
from metric_robustness.pipeline.engine.metric.defended import DefendedMetric
from metric_robustness.pipeline.engine.metric.runner import MetricRunner

CHEAP = ("color_quantization", "flip", "gaussian_blur", "unsharp")


RATIOS: dict[str, Better] = {"ratio": "lower"}
WORKLOADS = (Workload("resnet50", 8, 224, 3), Workload("mobilenet_v3_small", 16, 299, 5))
QUICK = (Workload("mobilenet_v3_small", 3, 64, 1),)


class BenchCell(Cell):
    """A cell of a metric that is not in the catalogue."""

    def defended(self) -> list[Entry]:
        """Returns the metric with each of the settings' defences."""
        return [defended_entry(self.metric, name) for name in self.settings.defences]


def defended_entry(metric: Entry, defence: str) -> Entry:
    """Returns the entry of a metric that sees images through a defence."""
    return defended(metric, lookup.find("defences", defence))


class Cells:
    """Runs cells on one data set, each in a new folder, so that no cell finds scores of an earlier one."""

    def __init__(self, metric: str, dataset: Dataset, folder: Path) -> None:
        self.entry, self.dataset, self.folder = metric_entry(metric), dataset, folder
        self.network = MetricRunner(self.entry, folder).metric  # builds the metric before the clock runs
        self.numbers = count()

    def run(self, attack: str, entry: Entry, settings: Settings) -> None:
        """Scores and attacks every image."""
        cell = BenchCell(entry, lookup.find("attacks", attack), {self.dataset.name: self.dataset.digest}, settings)
        runner = MetricRunner(entry, self.folder / str(next(self.numbers)), network=lambda: self.network)
        load_recent.cache_clear()
        assert len(CellRun(runner, cell, silent).run([self.dataset]).rows) >= len(self.dataset.photos)


def defended_scores(cells: Cells, batches: list[Images]) -> None:
    """Scores images through each defence, as the engine does."""
    for name in CHEAP:
        defence = build_defences(lookup.find("defences", name))[""]
        for images in batches:
            names = [str(number) for number in range(len(images))]
            defended = DefendedMetric(cells.network, name, defence, names)
            defended.purified(images, None).scores.tolist()


def measure(workload: Workload, folder: Path, clock: Clock) -> list[Row]:
    """Returns two rows for scoring through all defences, and one for attacking through each."""
    cells = Cells(workload.metric, open_crops(folder, workload.images, workload.side), folder)
    plain = Settings(variants=False)
    through = replace(plain, defences=CHEAP)
    rule = MetricRunner(cells.entry, folder).rule
    images = [load_recent(tuple(photos), None).images for photos in cells.dataset.batches(rule)]
    cells.run("noise", cells.entry, through)  # loads and compiles what a first cell does, before the clock runs
    ratios: dict[str, list[float]] = {}
    for _ in range(workload.repetitions):
        _, alone = timed(clock, cells.run, "noise", cells.entry, plain)
        _, together = timed(clock, cells.run, "noise", cells.entry, through)
        _, bare = timed(clock, scores, cells.network, images * (2 * len(CHEAP)))
        _, scored = timed(clock, defended_scores, cells, images * 2)
        ratios.setdefault(f"scoring through {len(CHEAP)}", []).append(scored / bare)
        ratios.setdefault(f"adding {len(CHEAP)} to a cell", []).append((together - alone) / bare)
        _, unaware = timed(clock, cells.run, "ifgsm", cells.entry, plain)
        for name in CHEAP:
            _, aware = timed(clock, cells.run, "ifgsm", defended_entry(cells.entry, name), plain)
            ratios.setdefault(f"attack through {name}", []).append(aware / unaware)
    return [
        {
            "metric": workload.metric,
            "what": what,
            "ratio": median(found),
            "spread": spread(found),
            "repetitions": workload.repetitions,
        }
        for what, found in ratios.items()
    ]


def table(rows: list[Row]) -> Table:
    """Returns the rows for people: medians and ranges."""
    view = titled_table("times the bare passes, or the bare attack", ("metric", "what"), ("times",))
    for row in rows:
        view.add_row(row["metric"], row["what"], ranged(row["ratio"], row["spread"]))
    return view


app = speed_app(
    "Measures what defences cost beyond the metric's own passes and the bare attack.", WORKLOADS, QUICK, measure, table
)

if __name__ == "__main__":
    app()
