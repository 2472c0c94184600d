"""What the measurements of speed share: workloads, command line, clock, the metric's own passes and tables."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import torch
import typer
from rich.table import Table

from metric_robustness.metrics.base import Images, Metric
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.catalogue.reading import read
from metric_robustness.pipeline.engine.device import make_deterministic, open_device
from metric_robustness.pipeline.terminal import err, out

CPU = open_device("cpu")  # set up as for a run
Clock: TypeAlias = Callable[[], float]  # seconds
Row: TypeAlias = dict[str, Any]  # of a table, as --json prints it


@dataclass(frozen=True)
class Workload:
    """A metric, the photographs to measure it on, and how often."""

    metric: str
    images: int
    side: int  # of the photographs, in pixels
    repetitions: int


SomeWorkload = TypeVar("SomeWorkload", bound=Workload)


def speed_app(
    about: str,
    workloads: Sequence[SomeWorkload],
    quick_ones: Sequence[SomeWorkload],
    measure: Callable[[SomeWorkload, Path, Clock], list[Row]],
    table: Callable[[list[Row]], Table],
) -> typer.Typer:
    """Returns the command line of a measurement.

    Args:
        about: The first line of the help.
        workloads: What to measure, one after the other.
        quick_ones: What to measure with --quick.
        measure: Returns the rows of a workload. It gets the workload, an empty folder and the clock.
        table: Returns the rows as a table for people.
    """
    app = typer.Typer(add_completion=False)

    @app.command(help=about)
    def main(
        as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
        quick: Annotated[bool, typer.Option(help="Only show that it runs: few and small images, once.")] = False,
        only: Annotated[str, typer.Option(help="Measure this metric alone.")] = "",
        clock: Annotated[
            Literal["wall", "cpu"], typer.Option(help="cpu: processor time, on a machine that others use too.")
        ] = "wall",
    ) -> None:
        make_deterministic()
        rows = []
        for workload in quick_ones if quick else workloads:
            if only in {"", workload.metric} and _has_weights(workload.metric):
                err.print(f"[dim]{workload.metric}: {workload.images} images of {workload.side}x{workload.side}")
                with tempfile.TemporaryDirectory() as folder:
                    rows += measure(workload, Path(folder), time.perf_counter if clock == "wall" else time.process_time)
        if as_json:
            print(json.dumps(rows, indent=2))
        else:
            out.print(table(rows))

    return app


class BenchmarkEntry(Entry):
    """A network of this folder, which is no entry of the catalogue."""

    def _module(self) -> ModuleType:
        return import_module(f"benchmarks.{self.name}")


def metric_entry(name: str) -> Entry:
    """Returns an entry of metrics/, or one of the networks in this folder."""
    own = Path(__file__).with_name(f"{name}.py")
    return BenchmarkEntry(**vars(read(own))) if own.is_file() else lookup.find("metrics", name)


def timed(clock: Clock, work: Callable[..., Any], *given: Any) -> tuple[Any, float]:
    """Returns the result of `work(*given)` and the seconds that it took."""
    start = clock()
    result = work(*given)
    return result, clock() - start


@torch.no_grad()
def scores(metric: Metric, batches: Sequence[Images]) -> None:
    """Takes the forward passes alone, as a yardstick; `tolist` waits for the result, as an engine must."""
    for images in batches:
        metric.unchecked(images).tolist()


def gradients(metric: Metric, batches: Sequence[Images]) -> None:
    """Takes the forward and backward passes alone, as a yardstick."""
    for images in batches:
        given = images.detach().requires_grad_()
        torch.autograd.grad(metric.unchecked(given).sum(), given)


def silent(what: str, work: int) -> None:
    """Is the `on_progress` of a run that shows no progress."""


def median(values: Sequence[float]) -> float:
    """Returns the median of a row, rounded to 3 decimals."""
    return round(statistics.median(values), 3)


def spread(values: Sequence[float]) -> list[float]:
    """Returns the lowest and the highest value of a row, rounded to 3 decimals."""
    return [round(min(values), 3), round(max(values), 3)]


def ranged(middle: float, spread: Sequence[float]) -> str:
    """Returns a median with its range, for people."""
    return f"{middle:.2f} ({'-'.join(map(str, spread))})"


def titled_table(title: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    """Returns an empty table with columns of names, then of numbers; its title ends with the number of threads."""
    table = Table(title=f"{title} ({torch.get_num_threads()} threads)", box=None)
    for heading in names:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _has_weights(metric: str) -> bool:
    missing = metric_entry(metric).missing_weights()
    if missing:
        err.print(f"{metric} is left out: {', '.join(missing)} is not on this machine")
    return not missing
