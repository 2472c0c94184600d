"""What `weights` shows while it works: bars on a terminal, elsewhere a line per file and a heartbeat."""

from __future__ import annotations

import time
from threading import Lock

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

from pipeline.terminal import HEARTBEAT, err
from pipeline.weights.declared import Need


class Lines:
    """Tells of files that are being fetched in lines: one per file, and a heartbeat with the time left."""

    def __init__(self, files: int, heartbeat: float = HEARTBEAT) -> None:
        """Begins.

        Args:
            files: How many will be fetched.
            heartbeat: Seconds between two lines of a long download.
        """
        self.files, self.heartbeat = files, heartbeat
        self.done = 0
        self.began: dict[str, tuple[float, int]] = {}  # file -> when, and how much was there then
        self.printed = time.monotonic()
        self.lock = Lock()

    def hear(self, need: Need, arrived: int, whole: int | None) -> None:
        """Is told how far a file is; may be called from several threads."""
        now = time.monotonic()
        with self.lock:
            since, before = self.began.setdefault(need.name, (now, arrived))
            if now - self.printed < self.heartbeat:
                return
            line = f"{self.done} of {self.files} files; {need.name}: {arrived / 1e6:.0f} MB"
            if whole and arrived > before:
                seconds = (whole - arrived) * (now - since) / (arrived - before)
                line += f" of {whole / 1e6:.0f}, {seconds // 60:.0f}:{seconds % 60:02.0f} left"
            self.say(line)

    def finish(self, need: Need, line: str) -> None:
        """Prints what became of a file."""
        with self.lock:
            self.done += 1
            self.began.pop(need.name, None)
            self.say(line)

    def say(self, line: str) -> None:
        """Prints a line."""
        err.print(line, markup=False, soft_wrap=True)
        self.printed = time.monotonic()


class Transfers(Lines):
    """Shows the same as bars where there is a terminal."""

    def __init__(self, files: int) -> None:
        super().__init__(files)
        self.tasks: dict[str, TaskID] = {}
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=err,
            transient=True,
        )

    def __enter__(self) -> Transfers:
        if err.is_terminal:
            self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if err.is_terminal:
            self.progress.stop()

    def hear(self, need: Need, arrived: int, whole: int | None) -> None:
        """Moves a file's bar; may be called from several threads."""
        if not err.is_terminal:
            super().hear(need, arrived, whole)
            return
        with self.lock:
            if need.name not in self.tasks:
                self.tasks[need.name] = self.progress.add_task(need.name.rpartition("/")[2], total=whole)
            self.progress.update(self.tasks[need.name], completed=arrived, total=whole)

    def finish(self, need: Need, line: str) -> None:
        """Takes a file's bar away and prints what became of it."""
        with self.lock:
            task = self.tasks.pop(need.name, None)
        if task is not None:
            self.progress.remove_task(task)
        super().finish(need, line)


def counted(label: str) -> Progress:
    """Returns a bar that counts files, with the time left."""
    return Progress(
        TextColumn(label),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("files"),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    )
