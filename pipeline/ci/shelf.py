"""Cells in the store: the stamp of one that has ended, and the rows of one that is done."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from pipeline.cells import Cell
from pipeline.ci.store import Place, RefusedError, Store
from pipeline.files import digest, write_atomically
from pipeline.stamp import Stamp


def read_stamp(store: Store, cell: Cell) -> Stamp | None:
    """Returns the stamp of a cell, or None if it has not ended.

    Raises:
        RefusedError: If what stands there is no stamp, or that of another cell.
    """
    return _parse(store.read(_stamp(cell)), cell)


def read_stamps(store: Store, cells: Iterable[Cell]) -> dict[str, Stamp | RefusedError | None]:
    """Returns, by the cells' keys, what `read_stamp` would; an error is returned instead of raised."""
    wanted = {_stamp(cell): cell for cell in cells}
    found: dict[str, Stamp | RefusedError | None] = {}
    for place, content in store.read_all(wanted).items():
        try:
            found[place.key] = content if isinstance(content, RefusedError) else _parse(content, wanted[place])
        except RefusedError as error:
            found[place.key] = error
    return found


def restore(store: Store, cell: Cell, stamp: Stamp, out: Path) -> None:
    """Writes a cell that has ended to an output folder, as `run` would have left it there.

    Raises:
        RefusedError: If its rows are gone, or are not those that were stamped.
    """
    csv = cell.csv(out)
    if stamp.status == "done":
        rows = store.read(_rows(cell))
        if rows is None:
            raise RefusedError(f"{_rows(cell)} is not in the store: it is computed again")
        if digest(rows) != stamp.sha256:
            raise RefusedError(f"{_rows(cell)} in the store is not what was stamped: it is computed again")
        write_atomically(csv, rows)
    write_atomically(csv.with_suffix(".json"), stamp.to_json())


def put(store: Store, cell: Cell, stamp: Stamp, csv: str | None) -> None:
    """Writes a cell that has ended to the store: its rows, then the stamp, which makes them count."""
    if csv is not None:
        store.write(_rows(cell), csv.encode())
    store.write(_stamp(cell), stamp.to_json().encode())


def _stamp(cell: Cell) -> Place:
    return Place("cells", cell.key, "stamp.json")


def _rows(cell: Cell) -> Place:
    return Place("cells", cell.key, "rows.csv")


def parse(content: bytes) -> Stamp | None:
    """Returns the stamp of some bytes, or None if they are none."""
    try:
        return Stamp.model_validate_json(content)
    except ValidationError:
        return None


def _parse(content: bytes | None, cell: Cell) -> Stamp | None:
    if content is None:
        return None
    stamp = parse(content)
    if stamp is None:
        raise RefusedError(f"{_stamp(cell)} in the store is no stamp: it is computed again")
    if (stamp.key, stamp.metric.name, stamp.attack.name) != (cell.key, cell.metric.name, cell.attack.name):
        raise RefusedError(f"{_stamp(cell)} in the store is the stamp of another cell: it is computed again")
    return stamp
