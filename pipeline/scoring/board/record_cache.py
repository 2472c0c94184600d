"""The record cache: records of unchanged cells, so that scoring need not read their rows again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy
from pydantic import ConfigDict, TypeAdapter

from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import digest, exclusive, read_sealed, write_sealed
from metric_robustness.pipeline.scoring.board.numbers import CachedNumbers, write_numbers
from metric_robustness.pipeline.scoring.board.records import Record, of_cell
from metric_robustness.pipeline.scoring.processes import Processes
from metric_robustness.pipeline.scoring.read.cells import find_cells, read_cell
from metric_robustness.pipeline.scoring.scores.ranges import Ranges

CODE = Path(__file__).resolve().parents[1]
LIBRARIES = (np, pd, pa, scipy)  # that read and compute; numba's sums have numpy's bits
ROW_BYTES = 100  # the length of a row in a CSV, roughly
EXACT = ConfigDict(ser_json_inf_nan="constants")  # JSON gives back nan and infinity


@dataclass(frozen=True)
class CachedCell:
    """The records of a cell, without their numbers, path and stamp."""

    key: str  # the hash of everything that they depend on
    records: list[Record]


@dataclass(frozen=True)
class CachedRecords:
    """The cached records of a metric's cells: what one file of the record cache holds. Their numbers lie beside it."""

    cells: dict[str, CachedCell] = field(default_factory=dict)  # CSV's name -> its records

    @property
    def keys(self) -> dict[str, str]:
        """Returns, by CSV name, the hash of everything that the cached records depend on."""
        return {name: cell.key for name, cell in self.cells.items()}

    @property
    def about(self) -> str:
        """Returns what the numbers of these records are sealed to be about."""
        return f"numbers {digest(json.dumps(self.keys).encode())}"

    def records(self, path: Path, stamp: Stamp | None, file: Path) -> Iterator[Record]:
        """Yields the records of a cell that the cache holds.

        Args:
            path: The cell's CSV.
            stamp: The cell's stamp, which the cache does not hold.
            file: The cache file.
        """
        about = self.about
        for i, record in enumerate(self.cells[path.name].records):
            numbers = CachedNumbers(_numbers(file), about, f"{path.name}/{i}")
            scored = record.scored and replace(record.scored, numbers=numbers)
            yield replace(record, path=path, stamp=stamp, scored=scored)

    @classmethod
    def load(cls, path: Path | None) -> CachedRecords:
        """Returns what a cache file holds; no records if it or its numbers are missing or damaged."""
        if path is None:
            return cls()
        with suppress(BenchError):  # where it may not be read, the rows are
            content = read_sealed(path, f"records {scoring_code()}")
            if content is not None:
                found = cls(_form().validate_json(content))
                if read_sealed(_numbers(path), found.about) is not None:
                    return found
        return cls()

    def save(self, path: Path) -> bool:
        """Writes the cache file, and returns whether it could; rows can be read again next time."""
        numbers = {
            f"{name}/{i}": record.scored.numbers.load()
            for name, cell in self.cells.items()
            for i, record in enumerate(cell.records)
            if record.scored
        }
        with suppress(BenchError):
            write_numbers(_numbers(path), self.about, numbers)
            write_sealed(path, _form().dump_json(self._without_places()), f"records {scoring_code()}")
            return True
        return False

    def _without_places(self) -> dict[str, CachedCell]:
        return {
            name: replace(cell, records=[replace(record, path=Path(), stamp=None) for record in cell.records])
            for name, cell in self.cells.items()
        }


@dataclass(frozen=True)
class MetricFolder:
    """The cells of a metric in one folder, and what the record cache has of them."""

    cells: Mapping[Path, tuple[Stamp | None, str]]  # CSV -> its stamp, and its key
    file: Path | None  # of the record cache; None where there is none
    known: CachedRecords

    @classmethod
    def of(cls, paths: Sequence[Path], file: Path | None, ranges: Ranges) -> MetricFolder:
        """Returns the cells of some CSVs.

        Args:
            paths: The CSVs.
            file: The file of the record cache.
            ranges: Measured ranges.
        """
        stamps = {path: Stamp.read(path.with_suffix(".json")) for path in paths}
        return cls(
            {path: (stamp, cell_key(path, stamp, ranges)) for path, stamp in stamps.items()},
            file,
            CachedRecords.load(file),
        )

    @property
    def rows(self) -> int:
        """Returns how many rows must be read, roughly."""
        return rows_in(path for path, (_, key) in self.cells.items() if not self._knows(path, key))

    @property
    def keys(self) -> dict[str, str]:
        """Returns what the cache is to hold: the keys of cells by the names of their CSVs."""
        return {path.name: key for path, (_, key) in self.cells.items() if key}

    def records(self, ranges: Ranges) -> list[Record]:
        """Returns the records of all cells; reads those that are not in the cache, and adds them to it."""
        found = {path: list(self._records(path, ranges)) for path in self.cells}
        if self.file and self.known.keys != self.keys:
            done = {path: (stamp, key) for path, (stamp, key) in self.cells.items() if key}
            now = CachedRecords({path.name: CachedCell(key, found[path]) for path, (_, key) in done.items()})
            if now.save(self.file):
                found |= {path: list(now.records(path, stamp, self.file)) for path, (stamp, _) in done.items()}
        return [record for own in found.values() for record in own]

    def _records(self, path: Path, ranges: Ranges) -> Iterator[Record]:
        stamp, key = self.cells[path]
        if self.file and self._knows(path, key):
            return self.known.records(path, stamp, self.file)
        return of_cell(read_cell(path), ranges)

    def _knows(self, path: Path, key: str) -> bool:
        return bool(key) and self.known.keys.get(path.name) == key


def read_records(paths: Sequence[Path], ranges: Ranges, processes: Processes | None = None) -> list[Record]:
    """Returns the records of all cells of run folders and CSVs.

    The records are cached in the run folders, below `.work`, one file per metric. A cached record is used as long as
    the stamp, the size and time of the CSV, the metric's range, and the code that scores with its libraries stay the
    same. A damaged cache file is written again.

    Args:
        paths: Run folders and CSVs.
        ranges: Measured ranges.
        processes: The processes that read metrics in parallel where there are many rows.

    Raises:
        BenchError: If a path does not exist or holds no cell.
    """
    groups: dict[tuple[Path, Path | None], list[Path]] = {}
    for path in paths:
        for cell in find_cells([path]):
            cache = None
            if path.is_dir():  # a folder may hold cells itself, too: no two folders of cells share a file
                cache = path / ".work" / cell.parent.relative_to(path) / "scored.records"
            groups.setdefault((cell.parent, cache), []).append(cell)
    folders = [MetricFolder.of(cells, cache, ranges) for (_, cache), cells in groups.items()]
    jobs = [(folder, ranges) for folder in folders]
    found = (processes or Processes()).map(MetricFolder.records, jobs, sum(folder.rows for folder in folders))
    return list({(record.path, *map(str, record.on)): record for own in found for record in own}.values())


@contextmanager
def cache_lock(folders: Iterable[Path]) -> Iterator[None]:
    """Waits until no other process makes tables of some run folders, and lets none begin while the body runs.

    Otherwise it could replace numbers of records that the body has read. Who may read a folder but not write to it
    waits, too, if somebody who may has left a lock there. A folder without stamps gets none. The lock lies outside of
    `.work`, which tells that a run wrote the rows.

    Args:
        folders: Run folders; what is none is passed over.
    """
    names = {folder.resolve(): folder for folder in folders}
    with ExitStack() as locks:
        for folder, name in sorted(names.items()):  # in one order, so that no two wait for each other
            with suppress(BenchError):
                if any(map(Stamp.read, _beside_rows(folder))):
                    waits_for = f"another process, which makes tables of {name}"
                    locks.enter_context(exclusive(folder / ".tables.lock", waits_for=waits_for))
        yield


def _beside_rows(folder: Path) -> Iterator[Path]:
    """Yields the files of a run folder, or of a metric's folder, that may be stamps."""
    yield from folder.glob("[!.]*/[!.]*.json")
    yield from folder.glob("[!.]*.json")


def rows_in(paths: Iterable[Path]) -> int:
    """Returns how many rows CSVs hold, roughly; none where there is no file."""
    return sum(path.stat().st_size for path in paths if path.is_file()) // ROW_BYTES


def _numbers(file: Path) -> Path:
    """Returns the file of the numbers beside a file of records."""
    return file.with_suffix(".numbers")


def cell_key(path: Path, stamp: Stamp | None, ranges: Ranges) -> str:
    """Returns the hash of what scores of a cell's rows depend on; empty where they must not be cached.

    Args:
        path: The cell's CSV.
        stamp: The stamp beside it.
        ranges: Measured ranges.
    """
    if stamp is None or stamp.status != "done" or not path.is_file():
        return ""
    file = path.stat()
    parts = [stamp.model_dump_json(), file.st_size, file.st_mtime_ns, ranges.get(stamp.metric.name), scoring_code()]
    return digest(json.dumps(parts).encode())


@cache
def _form() -> TypeAdapter[dict[str, CachedCell]]:
    return TypeAdapter(dict[str, CachedCell], config=EXACT)


@cache
def scoring_code() -> str:
    """Returns the hash of the code that turns rows into records and tables, and of the versions of its libraries."""
    files = [*sorted(CODE.rglob("*.py")), *sorted((CODE.parent / "cells").glob("*.py"))]
    found = hashlib.sha256(json.dumps([library.__version__ for library in LIBRARIES]).encode())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()
