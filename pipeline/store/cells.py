"""Reads and writes cells, with their stamps and rows, fitted patterns, and speeds in the store."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import product
from pathlib import Path

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.fit import Fit, FitStamp
from metric_robustness.pipeline.cells.speed import PassSpeed, kind_of, parse_speeds, speed_key, speeds_to_csv
from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.files import digest, write_atomically
from metric_robustness.pipeline.store.store import Place, RefusedError, Store


def read_stamp(store: Store, cell: Cell) -> Stamp | None:
    """Returns the stamp of a cell, or None if the store holds none.

    Raises:
        RefusedError: If the object is no stamp, or the stamp of another cell.
    """
    return _checked_stamp(store.read(_stamp_place(cell)), cell)


def read_stamps(store: Store, cells: Iterable[Cell]) -> dict[str, Stamp | RefusedError | None]:
    """Reads the stamps of many cells, by key; returns each RefusedError, so that a damaged stamp stops no other."""
    wanted = {_stamp_place(cell): cell for cell in cells}
    found: dict[str, Stamp | RefusedError | None] = {}
    for place, content in store.read_all(wanted).items():
        try:
            found[place.key] = content if isinstance(content, RefusedError) else _checked_stamp(content, wanted[place])
        except RefusedError as error:
            found[place.key] = error
    return found


def restore_cell(store: Store, cell: Cell, stamp: Stamp, out: Path) -> None:
    """Writes a cell that has ended to an output folder, as `run` would have left it there.

    Raises:
        RefusedError: If its rows are missing, or their hash is not the stamp's.
    """
    csv = cell.csv(out)
    if stamp.status == "done":
        rows = store.read(_rows_place(cell))
        if rows is None:
            raise RefusedError(f"{_rows_place(cell)} is not in the store: it is computed again")
        if digest(rows) != stamp.sha256:
            raise RefusedError(f"{_rows_place(cell)} in the store is not what was stamped: it is computed again")
        write_atomically(csv, rows)
    write_atomically(csv.with_suffix(".json"), stamp.to_json())


def write_cell(store: Store, cell: Cell, stamp: Stamp, csv: str | None) -> None:
    """Writes a cell that has ended to the store: its rows, then the stamp, since rows without a stamp do not count."""
    if csv is not None:
        store.write(_rows_place(cell), csv.encode())
    store.write(_stamp_place(cell), stamp.to_json().encode())


def _stamp_place(cell: Cell) -> Place:
    return Place("cells", cell.key, "stamp.json")


def _rows_place(cell: Cell) -> Place:
    return Place("cells", cell.key, "rows.csv")


def holds_patterns(store: Store, fits: Iterable[Fit]) -> dict[str, bool]:
    """Returns for each fit's key whether its pattern is in the store."""
    wanted = list(fits)
    there = read_fit_stamps(store, wanted)
    return {fit.key: fit.key in there for fit in wanted}


def read_fit_stamps(store: Store, fits: Iterable[Fit]) -> dict[str, FitStamp]:
    """Returns the stamps of patterns that are in the store, by the fits' keys."""
    found = store.read_all([_fit_stamp_place(fit) for fit in fits])
    stamps = {place.key: FitStamp.parse(content) for place, content in found.items() if isinstance(content, bytes)}
    return {key: stamp for key, stamp in stamps.items() if stamp is not None and stamp.key == key}


def restore_pattern(store: Store, fit: Fit, out: Path) -> bool:
    """Writes a pattern and its stamp to an output folder; returns whether they were in the store.

    Raises:
        RefusedError: If the pattern's hash is not the stamp's.
    """
    stamp, pattern = store.read(_fit_stamp_place(fit)), store.read(_pattern_place(fit))
    if stamp is None or pattern is None:
        return False
    found = FitStamp.parse(stamp)
    if found is None or found.key != fit.key or found.sha256 != digest(pattern):
        raise RefusedError(f"{_pattern_place(fit)} in the store is not what was stamped: it is fitted again")
    write_atomically(fit.file(out), pattern)
    write_atomically(fit.file(out).with_suffix(".json"), stamp)
    return True


def write_pattern(store: Store, fit: Fit, out: Path) -> None:
    """Writes a pattern of an output folder to the store, then its stamp, since a pattern without one does not count."""
    store.write(_pattern_place(fit), fit.file(out).read_bytes())
    store.write(_fit_stamp_place(fit), fit.file(out).with_suffix(".json").read_bytes())


def write_speed(store: Store, entry: Entry, speed: PassSpeed) -> None:
    """Writes the speed of an entry to the store, for the kind of device on which it was measured."""
    store.write(_speed_place(entry, kind_of(speed.device)), speeds_to_csv([speed]).encode())


def read_speeds(store: Store, entries: Iterable[Entry], kinds: Iterable[str]) -> list[PassSpeed]:
    """Returns the speeds of entries on some kinds of devices, as far as the store has them and they can be read."""
    found: list[PassSpeed] = []
    for place, content in store.read_all([_speed_place(*each) for each in product(entries, kinds)]).items():
        if isinstance(content, bytes):
            with suppress(DataError, UnicodeDecodeError):
                found += parse_speeds(content.decode(), str(place))
    return found


def _speed_place(entry: Entry, kind: str) -> Place:
    return Place("clear", speed_key(entry, kind), "speed")


def _pattern_place(fit: Fit) -> Place:
    return Place("fits", fit.key, "pattern.safetensors")


def _fit_stamp_place(fit: Fit) -> Place:
    return Place("fits", fit.key, "stamp.json")


def _checked_stamp(content: bytes | None, cell: Cell) -> Stamp | None:
    if content is None:
        return None
    stamp = Stamp.parse(content)
    if stamp is None:
        raise RefusedError(f"{_stamp_place(cell)} in the store is no stamp: it is computed again")
    if (stamp.key, stamp.metric.name, stamp.attack.name) != (cell.key, cell.metric.name, cell.attack.name):
        raise RefusedError(f"{_stamp_place(cell)} in the store is the stamp of another cell: it is computed again")
    return stamp
