"""What the terminal shows of long work: bars with the time left, and a heartbeat where there is no terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from metric_robustness.pipeline.engine.pace import in_words
from metric_robustness.pipeline.terminal import HEARTBEAT, err

if TYPE_CHECKING:
    from metric_robustness.pipeline.engine.universal.fit import FitStep
    from metric_robustness.pipeline.weights.declared import Need
    from metric_robustness.pipeline.weights.fetching import FetchResult

OFTEN = 20  # seconds between lines of work that takes minutes, where there is no terminal


class FitProgress:
    """Shows how a fit goes on: a live bar on a terminal; elsewhere a line at the start and a heartbeat."""

    def __init__(self, label: str) -> None:
        self.label, self.printed = label, 0.0
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("steps{task.fields[loss]}{task.fields[left]}"),
            console=err,
            disable=not err.is_terminal,
        )
        self.task = self.progress.add_task(label, total=None, loss="", left="")

    def __enter__(self) -> Callable[[FitStep], None]:
        self.progress.start()
        return self.hear

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def hear(self, step: FitStep) -> None:
        """Moves the bar, or prints a line."""
        loss = f", loss {step.loss:.4f}" if math.isfinite(step.loss) else ""  # a resumed fit begins without one
        seconds = self.progress.tasks[0].time_remaining
        left = f", {in_words(seconds)} left" if seconds else ""
        self.progress.update(self.task, completed=step.done, total=step.total, loss=loss, left=left)
        now = time.monotonic()
        if not err.is_terminal and (not self.printed or now - self.printed > HEARTBEAT):
            self.printed = now
            err.print(f"{self.label}: {step.done} of {step.total} steps{left}", markup=False, soft_wrap=True)


class TrainingBar:
    """Shows how a training goes on: a bar with the time left on a terminal, elsewhere lines now and then."""

    def __init__(self) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=err,
            disable=not err.is_terminal,
        )
        self.task = self.progress.add_task("starting", total=None)
        self.started = self.printed = time.monotonic()

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def begin(self, what: str, total: int) -> None:
        """Replaces the bar by one of the next stage.

        Args:
            what: The stage, such as "making samples".
            total: How many steps it has.
        """
        self.progress.remove_task(self.task)
        self.task = self.progress.add_task(what, total=total)
        self.started = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        """Moves the bar by steps that are done, or prints a line."""
        self.progress.advance(self.task, steps)
        now = time.monotonic()
        if not err.is_terminal and now - self.printed > OFTEN:
            task = self.progress.tasks[-1]
            seconds = (now - self.started) / max(task.completed, 1) * ((task.total or 0) - task.completed)
            self.say(f"{task.description}: {task.completed:.0f} of {task.total:.0f}, about {seconds:.0f} s left")
            self.printed = now

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        self.progress.console.print(line, markup=False, soft_wrap=True)


class FetchBars:
    """Shows how weight files arrive: a bar each on a terminal; elsewhere lines and a heartbeat.

    Args:
        files: How many will be fetched.
    """

    def __init__(self, files: int) -> None:
        from metric_robustness.pipeline.weights.lines import FetchLines  # only now: it loads the HTTP client

        self.lines = FetchLines(files)
        self.tasks: dict[str, TaskID] = {}
        self.lock = Lock()
        self.progress = _transfers()

    def __enter__(self) -> Self:
        if err.is_terminal:
            self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if err.is_terminal:
            self.progress.stop()

    def on_progress(self, need: Need, arrived: int, whole: int | None) -> None:
        """Moves a file's bar; may be called from several threads.

        Args:
            need: The file.
            arrived: How many of its bytes are here.
            whole: How many it has, if that is known.
        """
        if not err.is_terminal:
            self.lines.on_progress(need, arrived, whole)
            return
        with self.lock:
            if need.name not in self.tasks:
                self.tasks[need.name] = self.progress.add_task(need.name.rpartition("/")[2], total=whole)
            self.progress.update(self.tasks[need.name], completed=arrived, total=whole)

    def on_result(self, result: FetchResult) -> None:
        """Removes a file's bar and prints what became of the file."""
        with self.lock:
            task = self.tasks.pop(result.need.name, None)
        if task is not None:
            self.progress.remove_task(task)
        self.lines.on_result(result)


@contextmanager
def downloading(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Shows one download: a bar on a terminal, elsewhere a line now and then.

    Yields:
        A callback that takes the bytes that have arrived, and of how many if that is known.
    """
    if not err.is_terminal:
        printed = time.monotonic()

        def print_line(arrived: int, whole: int | None) -> None:
            nonlocal printed
            if time.monotonic() - printed > OFTEN:
                printed = time.monotonic()
                err.print(f"{name}: {arrived >> 20} of {whole >> 20 if whole else '?'} MiB", markup=False)

        yield print_line
        return
    with _transfers() as progress:
        task = progress.add_task(name, total=None)
        yield lambda arrived, whole: progress.update(task, completed=arrived, total=whole)


@contextmanager
def counting(label: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar on a terminal, and nothing elsewhere.

    Yields:
        A callback that takes how many files or bytes are done, and of how many.
    """
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(label)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _transfers() -> Progress:
    """Returns bars of downloads, with speed and the time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )
