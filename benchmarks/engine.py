"""How fast the engine is, between two yardsticks: a plain loop, and the bare passes that no engine can avoid.

`python -m benchmarks.engine` runs I-FGSM on a few photographs three ways, in one process and in turn: (a) a plain loop,
written straight from the methodology, (b) this project's engine, (c) only the metric's forward and backward passes,
batched and eager. The engine searches on a faster copy of the metric where there is one, in a row that says so with
compiled passes; the other two take the metric's own. What it costs to make, compile and compare them, once per metric,
data set and size of batch, stands in the last column. A row for bfloat16 compares with the plain loop in float32 and
with the bare passes in bfloat16.

Run it on a machine that does nothing else. Where others compute too, threads wait for each other by spinning, which
distorts every figure: `OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0 python -m benchmarks.engine --clock cpu` avoids that.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from rich.table import Table
from torch._inductor.utils import fresh_cache

from benchmarks.photographs import open_crops
from benchmarks.ratios import Better
from benchmarks.speed import (
    CPU,
    Clock,
    Row,
    Workload,
    median,
    metric_entry,
    silent,
    speed_app,
    spread,
    timed,
    titled_table,
)
from benchmarks.yardsticks.bare_limit import Means, bare_limit, best_means
from benchmarks.yardsticks.plain_loop import plain_loop
from metric_robustness.attacks.ifgsm import IFGSM
from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.row import to_csv
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import load_batch, load_recent
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.device import Compute
from metric_robustness.pipeline.engine.metric.build import build_metric
from metric_robustness.pipeline.engine.metric.compiling import Ahead, CompiledSearch
from metric_robustness.pipeline.engine.metric.first_gradients import FirstGradients
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.metric.search import search_of
from metric_robustness.pipeline.files import write_atomically


class Way(NamedTuple):
    """How the engine searches."""

    dtype: Literal["float32", "bfloat16"]
    compiled: bool = False

    def __str__(self) -> str:
        return f"{self.dtype} compiled" if self.compiled else self.dtype


EVERY = (Way("float32"), Way("float32", compiled=True), Way("bfloat16"), Way("bfloat16", compiled=True))
SINGLE = EVERY[:2]


@dataclass(frozen=True)
class EngineWorkload(Workload):
    """Photographs that are attacked in some ways."""

    ways: tuple[Way, ...]


RATIOS: dict[str, Better] = {"over_plain": "higher", "over_limit": "higher"}
WORKLOADS = (
    EngineWorkload("mobilenet_v3_small", 16, 299, 5, EVERY),
    EngineWorkload("resnet50", 8, 224, 3, EVERY),
    EngineWorkload("small_cnn", 16, 299, 5, SINGLE),
    EngineWorkload("eonss", 16, 299, 5, SINGLE),
    EngineWorkload("cnniqa_live", 16, 299, 5, SINGLE),
    EngineWorkload("niqe", 16, 299, 5, SINGLE),
)
QUICK = (
    EngineWorkload("mobilenet_v3_small", 3, 64, 1, (Way("float32"), Way("bfloat16"))),
    EngineWorkload("resnet50", 3, 64, 1, (Way("float32"), Way("bfloat16"))),
    EngineWorkload("small_cnn", 3, 64, 1, (Way("float32"),)),
    EngineWorkload("eonss", 3, 256, 1, (Way("float32"),)),
    EngineWorkload("cnniqa_live", 3, 64, 1, (Way("float32"),)),
    EngineWorkload("niqe", 3, 192, 1, (Way("float32"),)),
)


@dataclass
class Timing:
    """The seconds of each repetition of one way, and the attacked scores that it gave."""

    seconds: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def take(self, clock: Clock, work: Callable[..., list[float]], *given: Any) -> None:
        """Runs `work(*given)`, which returns attacked scores, and adds its seconds."""
        self.scores, seconds = timed(clock, work, *given)
        self.seconds.append(seconds)

    def over(self, other: Timing) -> list[float]:
        """Returns how many times faster this way is than another, for each repetition."""
        return [theirs / own for own, theirs in zip(self.seconds, other.seconds, strict=True)]


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    workload: EngineWorkload
    way: Way
    runner: MetricRunner
    plain: Timing
    engine: Timing
    limit: Timing
    means: Means
    searched: str  # on what the engine's searches ran
    preparing: float  # seconds in which that was found out

    def row(self) -> Row:
        """Returns the medians and ranges, as `--json` prints them."""
        plain, limit = self.engine.over(self.plain), self.engine.over(self.limit)
        return {
            "metric": self.workload.metric,
            "dtype": str(self.way),
            "images_per_second": self._speed(self.engine),
            "over_plain": median(plain),
            "over_limit": median(limit),
            "plain_images_per_second": self._speed(self.plain),
            "limit_images_per_second": self._speed(self.limit),
            "over_plain_spread": spread(plain),
            "over_limit_spread": spread(limit),
            "limit_batch": self.means.batch,
            "limit_layout": str(self.means.layout).removeprefix("torch."),
            "searched": self.searched,
            "preparing_seconds": round(self.preparing, 2),
            "repetitions": len(self.engine.seconds),
        }

    def _speed(self, timing: Timing) -> float:
        return round(self.workload.images / statistics.median(timing.seconds), 3)


def measure(workload: EngineWorkload, folder: Path, clock: Clock) -> list[Result]:
    """Runs the three ways in turn and returns a result per data type."""
    dataset = open_crops(folder, workload.images, workload.side)
    entry, attack = metric_entry(workload.metric), IFGSM()
    images = load_batch(dataset.photos, None).images
    plain, bare, timing = entry.load()().eval(), build_metric(entry, CPU), Timing()
    results = []
    for way in workload.ways:
        runner = MetricRunner(entry, folder, Compute(compiled=way.compiled))
        runner.metric  # noqa: B018  # builds it before the clock runs, as the other two are
        told, preparing = timed(clock, prepare, runner, dataset, images, way)
        means = best_means(bare, images, getattr(torch, way.dtype))
        results.append(Result(workload, way, runner, timing, Timing(), Timing(), means, told, preparing))
    for number in range(workload.repetitions):
        timing.take(clock, plain_loop, plain, dataset, attack, folder)
        for result in results:
            out = folder / f"{result.way}{number}"  # an empty folder, without scores of earlier repetitions
            result.runner.out, dtype = out, getattr(torch, result.way.dtype)
            result.runner.first_gradients = FirstGradients()  # which only a second attack would find there
            result.engine.take(clock, engine, result.runner, dataset, result.way)
            result.limit.take(clock, bare_limit, bare, images, attack, dtype, result.means)
    return results


def prepare(runner: MetricRunner, dataset: Dataset, images: Images, way: Way) -> str:
    """Does what a run does once per metric, data set and size of batch; returns what the searches run on."""
    searched = search_of(runner, dataset, NONE)
    if way.compiled:
        search = CompiledSearch(runner, searched)
        with fresh_cache():  # of PyTorch's own programs
            search.compile(images, None, Ahead(gradient=True, bfloat16=way.dtype == "bfloat16", seconds=math.inf))
        searched = search.searched
    return searched.told


def engine(runner: MetricRunner, dataset: Dataset, way: Way) -> list[float]:
    """Runs one cell as `python -m pipeline run` does, and returns the attacked scores."""
    load_recent.cache_clear()  # forgets the photographs of an earlier repetition
    cell = Cell(
        runner.entry, lookup.find("attacks", "ifgsm"), {dataset.name: dataset.digest}, Settings(dtype=way.dtype)
    )
    outcome = CellRun(runner, cell, silent).run([dataset])
    write_atomically(cell.csv(runner.out), to_csv(outcome.rows))
    return [float(row["attacked"]) for row in outcome.rows]


def table(rows: list[Row]) -> Table:
    """Returns the rows for people: medians, and the largest deviation of a ratio from its median."""
    numbers = ("plain", "engine", "limit", "over plain", "over limit", "preparing s")
    view = titled_table("I-FGSM of 10 steps, images per second", ("metric", "dtype"), numbers)
    for row in rows:
        speeds = [row[name] for name in ("plain_images_per_second", "images_per_second", "limit_images_per_second")]
        ratios = [f"{row[name]:.2f} ±{_deviation(row, name):.2f}" for name in ("over_plain", "over_limit")]
        prepared = f"{row['preparing_seconds']:.1f}"
        view.add_row(row["metric"], row["dtype"], *(f"{speed:.2f}" for speed in speeds), *ratios, prepared)
    view.caption = "\n".join(dict.fromkeys(f"{row['metric']}, {row['dtype']}: {row['searched']}" for row in rows))
    return view


def _deviation(row: Row, ratio: str) -> float:
    low, high = row[f"{ratio}_spread"]
    return float(max(row[ratio] - low, high - row[ratio]))


def rows(workload: EngineWorkload, folder: Path, clock: Clock) -> list[Row]:
    """Returns a row per data type."""
    return [result.row() for result in measure(workload, folder, clock)]


app = speed_app("Measures the engine between a plain loop and the bare limit.", WORKLOADS, QUICK, rows, table)

if __name__ == "__main__":
    app()
