"""What a terminal or a notebook shows of a run: a bar with the time left, or lines where nothing can move."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from metric_robustness.pipeline.engine.pace import Pace, in_words
from metric_robustness.pipeline.terminal import HEARTBEAT, counted, err, live

if TYPE_CHECKING:
    from metric_robustness.pipeline.engine.progress import Event


class RunProgress:
    """Shows how a run goes on: a live bar where there can be one; elsewhere a line per cell and a heartbeat."""

    def __init__(self, jobs: int) -> None:
        self.jobs, self.pace = jobs, Pace(time.monotonic())
        self.printed = time.monotonic()
        self.progress = Progress(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("cells, {task.fields[left]}  [dim]{task.description}"),
            console=err,
            disable=not live(),
        )
        self.task = self.progress.add_task("starting", total=None, left="estimating the time left")

    def __enter__(self) -> RunProgress:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def begin(self, work: dict[tuple[str, str], int], cells: int, done: int) -> None:
        """Begins the bar.

        Args:
            work: How many passes over an image lie ahead, by metric and attack.
            cells: How many cells have to be run.
            done: How many are up to date already.
        """
        self.pace.begin(work, time.monotonic())
        self.progress.update(self.task, total=cells)
        self._print(f"{counted(cells, 'cell')} to run, {done} up to date")

    def on_event(self, event: Event) -> None:
        """Moves the bar, or prints a line."""
        now = time.monotonic()
        self.pace.hear(event, now)
        label = f"{event.metric} {event.what}".rstrip()
        if event.status:
            self.progress.advance(self.task)
            if event.status != "done" or event.reason or not live():
                self._print(f"{label}: {event.status}{f', {event.reason}' if event.reason else ''}")
        elif event.reason:
            self._print(f"{label}: {event.reason}")
        elif not live() and now - self.printed > HEARTBEAT:
            self._print(f"{label}: working, {self.left()}")
        self.progress.update(self.task, description=label, left=self.left())

    def left(self) -> str:
        """Returns the estimated time left, from the pace of each metric so far."""
        seconds = self.pace.left(time.monotonic())
        return "estimating the time left" if seconds is None else f"{in_words(seconds / self.jobs)} left"

    def _print(self, line: str) -> None:
        self.progress.console.print(line, markup=False, soft_wrap=True)
        self.printed = time.monotonic()


class Unheard:
    """Shows nothing of a run."""

    def __enter__(self) -> Unheard:
        return self

    def __exit__(self, *_: object) -> None: ...

    def begin(self, work: dict[tuple[str, str], int], cells: int, done: int) -> None:
        """Ignores it."""

    def on_event(self, event: Event) -> None:
        """Ignores it."""
