"""What the terminal shows of long work: bars with the time left, and a heartbeat where there is no terminal."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.terminal import HEARTBEAT, err

if TYPE_CHECKING:  # torch takes seconds to load, and commands that need none load this file too
    from pipeline.engine.job import Event
    from pipeline.engine.universal.fit import Step


class RunProgress:
    """Shows how a run goes on: a live bar on a terminal; elsewhere a line per cell and a heartbeat."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.ahead: dict[str, int] = {}  # metric -> passes over an image
        self.passed: defaultdict[str, int] = defaultdict(int)
        self.spent: defaultdict[str, float] = defaultdict(float)
        self.heard: dict[str, float] = {}  # metric -> when it last told something
        self.printed = time.monotonic()
        self.progress = Progress(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("cells, {task.fields[left]}  [dim]{task.description}"),
            console=err,
            disable=not err.is_terminal,
        )
        self.task = self.progress.add_task("starting", total=None, left="estimating the time left")

    def __enter__(self) -> RunProgress:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def begin(self, work: dict[str, int], cells: int, done: int) -> None:
        """Is told how many passes over an image each metric has ahead, and how many cells there are."""
        self.ahead = dict(work)
        self.progress.update(self.task, total=cells)
        self._print(f"{cells} cells to run, {done} up to date")

    def hear(self, event: Event) -> None:
        """Moves the bar, or prints a line."""
        now = time.monotonic()
        self.spent[event.metric] += now - self.heard.get(event.metric, self.printed)
        self.heard[event.metric] = now
        self.passed[event.metric] += event.work
        if event.what != "clear":
            self.ahead[event.metric] -= event.work
        label = f"{event.metric} {event.what}"
        if event.status:
            self.progress.advance(self.task)
            if event.status != "done" or event.reason or not err.is_terminal:
                self._print(f"{label}: {event.status}{f', {event.reason}' if event.reason else ''}")
        elif not err.is_terminal and now - self.printed > HEARTBEAT:
            self._print(f"{label}: working, {self.left()}")
        self.progress.update(self.task, description=label, left=self.left())

    def left(self) -> str:
        """Returns the estimated time left, from the pace of each metric so far."""
        pace = {metric: self.spent[metric] / passed for metric, passed in self.passed.items() if passed}
        if not pace:
            return "estimating the time left"
        typical = sum(pace.values()) / len(pace)
        seconds = sum(max(work, 0) * pace.get(metric, typical) for metric, work in self.ahead.items())
        minutes, seconds = divmod(round(seconds / self.jobs), 60)
        return f"{minutes}:{seconds:02} left"

    def _print(self, line: str) -> None:
        self.progress.console.print(line, markup=False, soft_wrap=True)
        self.printed = time.monotonic()


class FitProgress:
    """Shows how a fit goes on: a live bar on a terminal; elsewhere a line at the start and a heartbeat."""

    def __init__(self, label: str) -> None:
        self.label, self.printed = label, 0.0
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("steps, loss {task.fields[loss]},"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=err,
            disable=not err.is_terminal,
        )
        self.task = self.progress.add_task(label, total=None, loss="")

    def __enter__(self) -> Callable[[Step], None]:
        self.progress.start()
        return self.hear

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def hear(self, step: Step) -> None:
        """Moves the bar, or prints a line."""
        self.progress.update(self.task, completed=step.done, total=step.total, loss=f"{step.loss:.4f}")
        now = time.monotonic()
        if not err.is_terminal and (not self.printed or now - self.printed > HEARTBEAT):
            self.printed = now
            left = self.progress.tasks[0].time_remaining
            told = f", {left / 60:.0f} minutes left" if left else ""
            err.print(f"{self.label}: {step.done} of {step.total} steps{told}", markup=False, soft_wrap=True)
