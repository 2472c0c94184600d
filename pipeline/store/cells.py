"""Cells in the store: the stamp of one that has ended, and the rows of one that is done; and fitted patterns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from pipeline.cells.cell import Cell
from pipeline.cells.fit import Fit, FitStamp
from pipeline.cells.stamp import Stamp
from pipeline.files import digest, write_atomically
from pipeline.store.store import Place, RefusedError, Store


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


def holds_patterns(store: Store, fits: Iterable[Fit]) -> dict[str, bool]:
    """Returns, by the fits' keys, whether a pattern is in the store."""
    wanted = [_fit_stamp(fit) for fit in fits]
    found = store.read_all(wanted)
    return {place.key: isinstance(content, bytes) and _is_fit(content, place.key) for place, content in found.items()}


def restore_pattern(store: Store, fit: Fit, out: Path) -> bool:
    """Writes a pattern and its stamp to an output folder; tells whether they were in the store.

    Raises:
        RefusedError: If what stands there is not what was stamped.
    """
    stamp, pattern = store.read(_fit_stamp(fit)), store.read(_pattern(fit))
    if stamp is None or pattern is None:
        return False
    if not _is_fit(stamp, fit.key) or FitStamp.model_validate_json(stamp).sha256 != digest(pattern):
        raise RefusedError(f"{_pattern(fit)} in the store is not what was stamped: it is fitted again")
    write_atomically(fit.file(out), pattern)
    write_atomically(fit.file(out).with_suffix(".json"), stamp)
    return True


def put_pattern(store: Store, fit: Fit, out: Path) -> None:
    """Writes a pattern of an output folder to the store, then its stamp, which makes it count."""
    store.write(_pattern(fit), fit.file(out).read_bytes())
    store.write(_fit_stamp(fit), fit.file(out).with_suffix(".json").read_bytes())


def _pattern(fit: Fit) -> Place:
    return Place("fits", fit.key, "pattern.safetensors")


def _fit_stamp(fit: Fit) -> Place:
    return Place("fits", fit.key, "stamp.json")


def _is_fit(content: bytes, key: str) -> bool:
    """Tells whether some bytes are the stamp of a fit with this key."""
    try:
        return FitStamp.model_validate_json(content).key == key
    except ValidationError:
        return False


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
