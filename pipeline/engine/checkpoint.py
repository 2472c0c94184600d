"""The checkpoint: finished batches of unfinished work, so that a killed run continues where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from metric_robustness.pipeline.files import SealedLines, tell_damaged


class Checkpoint:
    """Sealed lines: a header that says what the work is, then one line per finished unit.

    What a line that does not hold, or that is no record, stood for is done again. A checkpoint with another key belongs
    to other work and begins anew.

    Args:
        path: The file.
        key: Of the work.
        schema: What a record must be.
        header: What a first run records besides the key, such as the batch size that must stay the same.

    Attributes:
        header: What the first run recorded.
        done: The record of each finished unit.
    """

    def __init__(self, path: Path, key: str, schema: TypeAdapter[Any], header: dict[str, Any] | None = None) -> None:
        self.path = path
        self.file = SealedLines(path, {"key": key, **(header or {})})
        self.header: dict[str, Any] = self.file.head
        self.done: dict[str, Any] = {}
        for line in self.file.lines:
            try:
                self.done[line["unit"]] = schema.validate_python(line["record"])
            except (KeyError, ValidationError):
                tell_damaged(path, "the work of a line that is no record")
        # Rewrites the file without what does not hold, since the next line would continue a torn end.
        self.file.write(_lines(self.done))

    def note(self, name: str, fact: Any) -> None:
        """Adds a fact to the header: what a run has decided, and the one that goes on must keep to."""
        self.header[name] = fact
        self.file.write(_lines(self.done))

    def record(self, unit: str, record: Any) -> None:
        """Writes down a finished unit with its record."""
        self.record_all({unit: record})

    def record_all(self, records: dict[str, Any]) -> None:
        """Writes down several finished units in one go: waiting for the disk takes longer than the writing."""
        self.file.append(_lines(records))
        self.done |= records


def _lines(records: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"unit": unit, "record": record} for unit, record in records.items()]
