"""The CSV tables as Parquet: columns that know whether they hold text or numbers, smaller and faster to read."""

from __future__ import annotations

import csv
import io
from collections.abc import Set

import pyarrow as pa
import pyarrow.parquet as pq

TEXT = frozenset(
    {
        *("metric", "title", "kind", "gradients", "dataset", "preset", "attack", "family", "variant", "train_dataset"),
        *("best_known_by", "scale_source", "spared", "flags", "note", "status", "reason", "key", "commit"),
        *("defence", "setting", "flag"),
    }
)


def to_parquet(table: str, text: Set[str] = TEXT) -> bytes:
    """Returns one of our CSV tables as Parquet: an empty number is null, an empty text is empty.

    Args:
        table: The CSV.
        text: The columns that hold text; all others hold numbers.
    """
    lines = csv.DictReader(io.StringIO(table))
    columns: dict[str, list[str | float | None]] = {name: [] for name in lines.fieldnames or []}
    for line in lines:
        for name, value in line.items():
            columns[name].append(value if name in text else float(value) if value else None)
    types = {name: pa.string() if name in text else pa.float64() for name in columns}
    found = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
    buffer = io.BytesIO()
    pq.write_table(found, buffer)
    return buffer.getvalue()
