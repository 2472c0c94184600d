"""What defences cost beside the metric: judging through several, and attacking through one.

`python -m benchmarks.defences` compares, in one process and in turn: scoring clear and attacked images through four
cheap defences, and all that these add to a cell (PSNR and SSIM of what is purified, and rows), with as many bare
forward passes; and I-FGSM through each of them with the same attack on the bare metric.

Meant for a machine that does nothing else; where others compute too, `--clock cpu` counts this process's own work.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

import torch
from rich.table import Table

from benchmarks.photographs import write_crops
from benchmarks.speed import CPU, Clock, Row, metric_entry, silent, speed_app, timed
from benchmarks.universal import scores
from metrics.base import Images
from pipeline.catalogue import lookup
from pipeline.catalogue.defended import defended
from pipeline.catalogue.entry import Entry
from pipeline.cells.cell import Cell
from pipeline.cells.settings import Settings
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.data.images import load_recent
from pipeline.engine.cell import CellRun
from pipeline.engine.metric.build import build_defences
from pipeline.engine.metric.defended import DefendedMetric
from pipeline.engine.metric.runner import MetricRunner

CHEAP = ("color_quantization", "flip", "gaussian_blur", "unsharp")


class Workload(NamedTuple):
    """What is measured."""

    metric: str
    images: int
    side: int  # of the photographs, in pixels
    repetitions: int


WORKLOADS = (Workload("resnet50", 8, 224, 3), Workload("mobilenet_v3_small", 16, 299, 5))
QUICK = (Workload("mobilenet_v3_small", 3, 64, 1),)


class BenchCell(Cell):
    """A cell of a metric that is not in the catalogue."""

    def defended(self) -> list[Entry]:
        """Returns the metric behind each of the settings' defences."""
        return [defended_by(self.metric, name) for name in self.settings.defences]


def defended_by(metric: Entry, defence: str) -> Entry:
    """Returns a metric that sees images through a defence."""
    return defended(metric, lookup.find("defences", defence))


class Cells:
    """Cells on one data set, each run in a folder of its own, so that nothing is found that was scored before."""

    def __init__(self, metric: str, dataset: Dataset, folder: Path) -> None:
        self.entry, self.dataset, self.folder = metric_entry(metric), dataset, folder
        self.network = MetricRunner(self.entry, folder, CPU).metric  # built before the clock runs
        self.numbers = count()

    def run(self, attack: str, entry: Entry, settings: Settings) -> None:
        """Scores and attacks every image."""
        cell = BenchCell(entry, lookup.find("attacks", attack), {self.dataset.name: self.dataset.digest}, settings)
        runner = MetricRunner(entry, self.folder / str(next(self.numbers)), CPU, network=lambda: self.network)
        load_recent.cache_clear()
        assert len(CellRun(runner, cell, silent).run([self.dataset]).rows) >= len(self.dataset.photos)


def judge(cells: Cells, batches: list[Images]) -> None:
    """Scores images through every defence, as the engine does."""
    for name in CHEAP:
        defence = build_defences(lookup.find("defences", name))[""]
        for images in batches:
            defended = DefendedMetric(cells.network, name, defence, [str(number) for number in range(len(images))])
            defended.purified(images, None).scores.tolist()


def measure(workload: Workload, folder: Path, clock: Clock) -> list[Row]:
    """Returns two rows for the defences that judge together, and one for each that is attacked through."""
    write_crops(folder / "photographs", workload.images, workload.side)
    cells = Cells(workload.metric, open_dataset(str(folder / "photographs")), folder)
    plain = Settings(variants=False)
    judged = replace(plain, defences=CHEAP)
    rule = MetricRunner(cells.entry, folder, CPU).rule
    images = [load_recent(tuple(photos), None).images for photos in cells.dataset.batches(rule)]
    ratios: dict[str, list[float]] = {}
    for _ in range(workload.repetitions):
        _, alone = timed(clock, cells.run, "noise", cells.entry, plain)
        _, together = timed(clock, cells.run, "noise", cells.entry, judged)
        _, bare = timed(clock, scores, cells.network, images * (2 * len(CHEAP)))
        _, scored = timed(clock, judge, cells, images * 2)
        ratios.setdefault(f"scoring through {len(CHEAP)}", []).append(scored / bare)
        ratios.setdefault(f"adding {len(CHEAP)} to a cell", []).append((together - alone) / bare)
        _, unaware = timed(clock, cells.run, "ifgsm", cells.entry, plain)
        for name in CHEAP:
            _, aware = timed(clock, cells.run, "ifgsm", defended_by(cells.entry, name), plain)
            ratios.setdefault(f"attack through {name}", []).append(aware / unaware)
    return [
        {
            "metric": workload.metric,
            "what": what,
            "ratio": round(statistics.median(found), 3),
            "spread": [round(min(found), 3), round(max(found), 3)],
            "repetitions": workload.repetitions,
        }
        for what, found in ratios.items()
    ]


def table(rows: list[Row]) -> Table:
    """Returns the rows for people: medians and ranges."""
    view = Table(title=f"{torch.get_num_threads()} threads", box=None)
    for heading in ("metric", "what", "times"):
        view.add_column(heading, justify="right" if heading == "times" else "left", no_wrap=True)
    for row in rows:
        view.add_row(row["metric"], row["what"], f"{row['ratio']:.2f} ({'-'.join(map(str, row['spread']))})")
    return view


app = speed_app(
    "Measures what defences cost beside the metric's own passes and the bare attack.", WORKLOADS, QUICK, measure, table
)

if __name__ == "__main__":
    app()
