"""The checkpoint: finished batches of unfinished work, so that a killed run continues where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metric_robustness.pipeline.files import append_line, plain_errors, write_atomically


class Checkpoint:
    """A file of JSON lines: a header that says what the work is, then one line per finished batch.

    A line that is torn (the process was killed while it wrote) or damaged ends the checkpoint: it and what follows
    are done again. A checkpoint with another key belongs to other work and begins anew.

    Attributes:
        header: What the first run recorded besides the key, such as the batch size that must stay the same.
        done: The record of each finished unit.
    """

    def __init__(self, path: Path, key: str, header: dict[str, Any] | None = None) -> None:
        self.path = path
        with plain_errors(path):
            lines = _whole_lines(path)
        expected = {"key": key, **(header or {})}
        if lines and lines[0].get("key") == key and expected.keys() <= lines[0].keys():
            self.header: dict[str, Any] = lines[0]
            self.done: dict[str, Any] = {line["unit"]: line["record"] for line in lines[1:]}
        else:
            self.header, self.done = expected, {}
        # Rewrites the file without the torn end, since the next line would continue it.
        records = [self.header, *({"unit": unit, "record": record} for unit, record in self.done.items())]
        write_atomically(path, "".join(f"{json.dumps(record)}\n" for record in records))

    def record(self, unit: str, record: Any) -> None:
        """Writes down a finished unit with its record."""
        self.record_all({unit: record})

    def record_all(self, records: dict[str, Any]) -> None:
        """Writes down several finished units in one go: waiting for the disk takes longer than the writing."""
        lines = [json.dumps({"unit": unit, "record": record}) for unit, record in records.items()]
        append_line(self.path, "\n".join(lines))
        self.done |= records


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """Returns the objects of the undamaged lines from the beginning."""
    if not path.exists():
        return []
    found: list[dict[str, Any]] = []
    for line in path.read_bytes().split(b"\n")[:-1]:  # what follows the last line end is torn
        try:
            value = json.loads(line)
        except ValueError:
            break
        if not isinstance(value, dict) or (found and not {"unit", "record"} <= value.keys()):
            break
        found.append(value)
    return found
