"""What the measurements beside a metric's own passes share: their command line, clock and entries."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeAlias, TypeVar

import typer
from rich.table import Table

from pipeline.catalogue import lookup
from pipeline.catalogue.entry import Entry
from pipeline.catalogue.reading import read
from pipeline.engine.device import make_deterministic, open_device
from pipeline.places import CODE
from pipeline.terminal import err, out

CPU = open_device("cpu")  # as a run does
Clock: TypeAlias = Callable[[], float]
Row: TypeAlias = dict[str, Any]


class Work(Protocol):
    """What every workload says."""

    @property
    def metric(self) -> str: ...
    @property
    def images(self) -> int: ...
    @property
    def side(self) -> int: ...


SomeWork = TypeVar("SomeWork", bound=Work)


def speed_app(
    about: str,
    workloads: Sequence[SomeWork],
    quick_ones: Sequence[SomeWork],
    measure: Callable[[SomeWork, Path, Clock], list[Row]],
    table: Callable[[list[Row]], Table],
) -> typer.Typer:
    """Returns the command line of a measurement.

    Args:
        about: The help's first line.
        workloads: What is measured, one after the other.
        quick_ones: The same with --quick.
        measure: Returns a workload's rows; is given an empty folder and what tells the seconds.
        table: Returns the rows for people.
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


def metric_entry(name: str) -> Entry:
    """Returns an entry of metrics/, or one of the networks of this folder."""
    own = CODE / "benchmarks" / f"{name}.py"
    return read(own) if own.is_file() else lookup.find("metrics", name)


def timed(clock: Clock, work: Callable[..., Any], *given: Any) -> tuple[Any, float]:
    """Returns what the work came to, and its seconds."""
    start = clock()
    found = work(*given)
    return found, clock() - start


def silent(what: str, work: int) -> None:
    """Hears of progress and says nothing."""


def _has_weights(metric: str) -> bool:
    missing = metric_entry(metric).missing_weights()
    if missing:
        err.print(f"{metric} is left out: {', '.join(missing)} is not on this machine")
    return not missing
