"""results/cells.csv: how each cell ended, and what it took. Planning estimates from it; readers see what is missing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from metric_robustness.pipeline import places
from metric_robustness.pipeline.cells.speed import amount
from metric_robustness.pipeline.errors import DataError

KEY = re.compile(r"([0-9a-f]{32})?")  # a key becomes part of an address, so nothing else may stand there


class Past(NamedTuple):
    """What is known of a cell: one line of the file."""

    metric: str
    attack: str
    status: str  # done, failed, skipped or waiting
    reason: str  # why there are no rows
    passes: int  # over an image, all images together, a gradient as 3; 0 where an older file does not say
    seconds: float  # of all images and variants together; 0 where a scout spared all of them
    gpu_memory: float  # the most GiB that it took; 0 where that was not measured
    device: str
    finished: str  # when rows were last made, UTC; empty if never
    key: str  # of those rows


TEXTS = ("metric", "attack", "status", "reason", "device", "finished", "key")
History = dict[tuple[str, str], Past]  # (metric, attack) -> what is known


def read_history(path: Path | None = None) -> History:
    """Returns the lines of a file; none where there is no file.

    Args:
        path: The file; results/cells.csv if none is given.

    Raises:
        DataError: If a line cannot be read.
    """
    path = path or places.results() / "cells.csv"
    if not path.exists():
        return {}
    found: History = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                past = Past(
                    **{name: row[name] for name in TEXTS},
                    passes=int(row.get("passes") or 0),
                    seconds=amount(row["seconds"]),
                    gpu_memory=amount(row["gpu_memory"]),
                )
                if not KEY.fullmatch(past.key):
                    raise ValueError(past.key)
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(
                    f"{path} must hold the columns {', '.join(Past._fields)}; line {line} does not: restore it with git"
                ) from error
            found[past.metric, past.attack] = past
    return found


def to_csv(history: Iterable[Past]) -> str:
    """Returns the lines as CSV, sorted by metric and attack."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Past._fields)
    for past in sorted(history):
        writer.writerow(past._replace(seconds=f"{past.seconds:.6g}", gpu_memory=f"{past.gpu_memory:.6g}"))  # type: ignore[arg-type]
    return text.getvalue()
