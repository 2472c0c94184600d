"""How far a training is, for the terminal."""

from __future__ import annotations

import time
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.terminal import err


class TrainingProgress:
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
        """Is told what comes now, and of how many steps."""
        self.progress.remove_task(self.task)
        self.task = self.progress.add_task(what, total=total)
        self.started = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        """Is told of steps that are done."""
        self.progress.advance(self.task, steps)
        now = time.monotonic()
        if not err.is_terminal and now - self.printed > 20:
            task = self.progress.tasks[-1]
            seconds = (now - self.started) / max(task.completed, 1) * ((task.total or 0) - task.completed)
            self.tell(f"{task.description}: {task.completed:.0f} of {task.total:.0f}, about {seconds:.0f} s left")
            self.printed = now

    def tell(self, line: str) -> None:
        """Prints a line above the bar."""
        self.progress.console.print(line, markup=False, soft_wrap=True)
