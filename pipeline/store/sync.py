"""Copies a run's work to the result store and back, so that another machine finds and continues it."""

from __future__ import annotations

import time
from pathlib import Path

from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.fit import Fit
from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import write_atomically
from metric_robustness.pipeline.store import cells as stored
from metric_robustness.pipeline.store.store import Place, RefusedError, Store
from metric_robustness.pipeline.terminal import err


class Sync:
    """Copies cells, patterns, checkpoints and clear scores to a store and back; without a store it does nothing.

    Args:
        store: The result store.
        every: Seconds between two copies of a checkpoint that grows.
    """

    def __init__(self, store: Store | None, every: float = 300) -> None:
        self.store, self.every = store, every
        self.copied: dict[Place, float] = {}  # place -> time of the last copy

    def restore(self, cell: Cell, out: Path) -> bool:
        """Writes a finished cell's rows and stamp to an output folder; returns whether they were in the store."""
        if self.store is None:
            return False
        try:
            stamp = stored.read_stamp(self.store, cell)
            if stamp is None or stamp.status != "done":
                return False
            stored.restore_cell(self.store, cell, stamp, out)
        except RefusedError as error:
            _warn(error)
            return False
        return True

    def keep(self, cell: Cell, stamp: Stamp, csv: str | None) -> None:
        """Writes a cell that has ended to the store."""
        if self.store is not None:
            stored.write_cell(self.store, cell, stamp, csv)

    def offer(self, cell: Cell, out: Path) -> None:
        """Writes a cell that an earlier run finished on this machine to the store, unless the store holds it."""
        if self.store is None:
            return
        try:
            there = stored.read_stamp(self.store, cell)
        except RefusedError:
            there = None
        stamp = Stamp.read(cell.csv(out).with_suffix(".json"))
        if stamp and (there is None or there.status != "done"):
            stored.write_cell(self.store, cell, stamp, cell.csv(out).read_text(encoding="utf-8"))

    def restore_pattern(self, fit: Fit, out: Path) -> bool:
        """Writes a pattern of the store to an output folder; returns whether it was in the store."""
        if self.store is None:
            return False
        try:
            return stored.restore_pattern(self.store, fit, out)
        except RefusedError as error:
            _warn(error)
            return False

    def keep_pattern(self, fit: Fit, out: Path) -> None:
        """Writes a pattern that was fitted now to the store, in place of one there that could not be used."""
        if self.store is not None:
            stored.write_pattern(self.store, fit, out)

    def offer_pattern(self, fit: Fit, out: Path) -> None:
        """Writes a pattern that an earlier run fitted on this machine to the store, unless the store holds it."""
        if self.store is not None and not stored.holds_patterns(self.store, [fit])[fit.key]:
            stored.write_pattern(self.store, fit, out)

    def bring(self, place: Place, file: Path) -> None:
        """Writes an object of the store to a file, unless the file exists."""
        if self.store is None or file.exists():
            return
        try:
            content = self.store.read(place)
        except RefusedError as error:
            _warn(error)
            return
        if content is not None:
            write_atomically(file, content)

    def copy(self, place: Place, file: Path) -> None:
        """Copies a growing file at most once in `every` seconds; only warns if the store takes it not, for any reason.

        The file is on the disk, and the work goes on: the copy saves another machine what this one may not end.
        """
        now = time.monotonic()
        if self.store is None or now - self.copied.setdefault(place, now) < self.every:
            return
        self.copied[place] = now
        try:
            self.store.write(place, file.read_bytes())
        except BenchError as error:
            _warn(error)

    def put(self, place: Place, file: Path) -> None:
        """Writes a whole file to the store."""
        if self.store is not None:
            self.store.write(place, file.read_bytes())


def _warn(error: Exception) -> None:
    err.print(str(error), markup=False, soft_wrap=True)
