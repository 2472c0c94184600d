"""CSV files as plain text: what was written, apart from our own reader."""

from __future__ import annotations

import csv
from pathlib import Path


def lines(path: Path) -> list[dict[str, str]]:
    """Returns the lines of a CSV file, by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
