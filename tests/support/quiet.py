"""Runs cells in a test: shows nothing, and fails the test where a cell fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.progress import Event
from metric_robustness.pipeline.engine.run import run
from metric_robustness.pipeline.engine.selection import Selection

SETTINGS = Settings()


class Quiet:
    """A `metric_robustness.pipeline.engine.progress.Listener` that fails the test where a cell fails or counts back."""

    def begin(self, work: dict[str, int], cells: int, done: int) -> None:
        """Keeps the numbers of cells for the test."""
        self.cells, self.done = cells, done

    def on_event(self, event: Event) -> None:
        """Fails the test where a cell failed or counts back."""
        assert event.status in {"", "done"}, event.reason
        assert event.work >= 0, f"{event.what} takes work back"  # the time left would fall below 0


def run_quietly(
    metrics: Sequence[str],
    out: Path,
    settings: Settings = SETTINGS,
    *,
    save_images: bool = False,
    **selection: Any,
) -> Quiet:
    """Runs metrics; `selection` are further fields of the Selection. Returns the listener."""
    listener = Quiet()
    run(Selection(metrics, **selection), settings, Machine(out, save_images=save_images, patience=None), listener)
    return listener
