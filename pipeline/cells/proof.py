"""Whether the rows of a cell count: the one question that a run and the tables ask."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.files import file_digest, plain_errors


class Proof(NamedTuple):
    """What a stamp proves of the CSV beside it."""

    stamp: Stamp | None  # None if there is none, or its seal does not hold
    reason: str  # why the rows do not count; empty if they do

    @property
    def holds(self) -> bool:
        """Tells whether the cell is done, and its rows are those that were stamped."""
        return not self.reason


def proof_of(csv: Path) -> Proof:
    """Returns what the stamp beside a CSV proves: that the cell is done, and that the rows are those of its run.

    Raises:
        BenchError: If one of the files may not be read.
    """
    path = csv.with_suffix(".json")
    stamp = Stamp.read(path)
    if stamp is None:
        return Proof(None, f"{path.name} is not a sealed stamp" if path.exists() else f"{path.name} is not there")
    if stamp.status != "done":
        return Proof(stamp, f"{stamp.status} last time")
    if not csv.is_file():
        return Proof(stamp, f"{csv.name} is not there")
    with plain_errors(csv):
        same = file_digest(csv) == stamp.sha256
    return Proof(stamp, "" if same else f"{csv.name} is not what was stamped")
