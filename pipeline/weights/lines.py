"""Prints the progress of fetching where there is no terminal: a line per file, and a heartbeat."""

from __future__ import annotations

import time
from threading import Lock

from metric_robustness.pipeline.terminal import HEARTBEAT, err
from metric_robustness.pipeline.weights.declared import Need
from metric_robustness.pipeline.weights.fetching import FetchResult


class FetchLines:
    """Prints a line per fetched file, and a heartbeat with the time left.

    Args:
        files: How many will be fetched.
        heartbeat: Seconds between two lines of a long download.
    """

    def __init__(self, files: int, heartbeat: float = HEARTBEAT) -> None:
        self.files, self.heartbeat = files, heartbeat
        self.done = 0
        self.began: dict[str, tuple[float, int]] = {}  # file -> when it began, and how many bytes were there then
        self.printed = time.monotonic()
        self.lock = Lock()

    def on_progress(self, need: Need, arrived: int, whole: int | None) -> None:
        """Prints a heartbeat if one is due; may be called from several threads.

        Args:
            need: The file.
            arrived: How many of its bytes are here.
            whole: How many it has, if that is known.
        """
        now = time.monotonic()
        with self.lock:
            since, before = self.began.setdefault(need.name, (now, arrived))
            if now - self.printed < self.heartbeat:
                return
            line = f"{self.done} of {self.files} files; {need.name}: {arrived / 1e6:.0f} MB"
            if whole and arrived > before:
                seconds = (whole - arrived) * (now - since) / (arrived - before)
                line += f" of {whole / 1e6:.0f}, {seconds // 60:.0f}:{seconds % 60:02.0f} left"
            self._print(line)

    def on_result(self, result: FetchResult) -> None:
        """Prints the result for a file."""
        with self.lock:
            self.done += 1
            self.began.pop(result.need.name, None)
            self._print(result.line)

    def _print(self, line: str) -> None:
        err.print(line, markup=False, soft_wrap=True)
        self.printed = time.monotonic()
