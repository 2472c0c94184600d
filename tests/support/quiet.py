"""Runs cells in a test: nothing is shown, and every cell must end well."""

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
    """A `metric_robustness.pipeline.engine.progress.Listener` that shows nothing, and fails where a cell did."""

    def begin(self, work: dict[str, int], cells: int, done: int) -> None:
        """Notes what there is to do."""
        self.cells, self.done = cells, done

    def on_event(self, event: Event) -> None:
        """Fails where a cell did."""
        assert event.status in {"", "done"}, event.reason


def run_quietly(
    metrics: Sequence[str],
    out: Path,
    settings: Settings = SETTINGS,
    *,
    save_images: bool = False,
    **selection: Any,
) -> Quiet:
    """Runs metrics; `selection` are further fields of the Selection. Returns what listened."""
    listener = Quiet()
    run(Selection(metrics, **selection), settings, Machine(out, save_images=save_images), listener)
    return listener
