"""The records of cells that did not change since they were last scored, kept so that their rows are not read again."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cells.stamp import Stamp, read_stamp
from pipeline.errors import BenchError
from pipeline.files import digest, write_atomically
from pipeline.scoring.board.flags import Flag
from pipeline.scoring.board.records import Record, of_cell
from pipeline.scoring.processes import Processes
from pipeline.scoring.read.cells import find_cells, read_cell
from pipeline.scoring.scores.outcomes import Outcome, moved_images
from pipeline.scoring.scores.ranges import Ranges
from pipeline.scoring.scores.robustness import Scale

CODE = Path(__file__).resolve().parents[1]
BYTES = 100  # of a row, about
PACKED = {"path", "stamp", "moved", "outcome", "scale", "flags"}  # fields of a record that JSON cannot hold as they are
PLAIN = tuple(each.name for each in fields(Record) if each.name not in PACKED)

Told = dict[str, Any]  # what JSON can hold
Arrays = dict[str, np.typing.NDArray[Any]]
Names = tuple[tuple[str, ...], tuple[str, ...]]  # of images, and of their clips


@dataclass
class Shelf:
    """The kept records of a metric's cells.

    The names of images stand once for all cells that have the same.
    """

    names: dict[Names, int] = field(default_factory=dict)  # -> their number
    cells: dict[str, Told] = field(default_factory=dict)  # CSV's name -> key and records
    arrays: Arrays = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, str]:
        """Returns what the kept records depend on."""
        return {name: cell["key"] for name, cell in self.cells.items()}

    def put(self, name: str, key: str, records: Sequence[Record]) -> None:
        """Takes the records of a cell."""
        self.cells[name] = {"key": key, "records": [self._packed(record) for record in records]}
        for i, record in enumerate(records):
            if record.outcome is not None and record.moved is not None:
                arrays = {column: record.moved[column].to_numpy() for column in ("before", "after")}
                arrays["gains"] = record.outcome.gains
                self.arrays |= {f"{name}/{i}/{column}": array for column, array in arrays.items()}

    def records(self, path: Path, stamp: Stamp | None) -> list[Record]:
        """Returns the records of a cell."""
        known = list(self.names)
        return [
            self._unpacked(dict(told), known, f"{path.name}/{i}", {"path": path, "stamp": stamp})
            for i, told in enumerate(self.cells[path.name]["records"])
        ]

    def _packed(self, record: Record) -> Told:
        told = {name: getattr(record, name) for name in PLAIN}
        told["flags"] = [asdict(flag) for flag in record.flags]
        told["scale"] = asdict(record.scale) if record.scale else None
        if record.outcome is not None and record.moved is not None:
            names = (tuple(record.moved.index), tuple(record.moved["clip"]))
            told["names"] = self.names.setdefault(names, len(self.names))
            told["outcome"] = {name: getattr(record.outcome, name) for name in ("n", "scores", "intervals")}
        return told

    def _unpacked(self, told: Told, known: Sequence[Names], place: str, cell: Told) -> Record:
        flags = tuple(Flag(each["code"], each["text"], tuple(each["attacks"])) for each in told.pop("flags"))
        scale = Scale(**scale) if (scale := told.pop("scale")) else None
        number, outcome = told.pop("names", None), told.pop("outcome", None)
        moved = None
        if outcome:
            before, after, gains = (self.arrays[f"{place}/{name}"] for name in ("before", "after", "gains"))
            moved = moved_images(*known[number], before, after)
            spread = {name: (low, high) for name, (low, high) in outcome["intervals"].items()}
            outcome = Outcome(outcome["n"], outcome["scores"], spread, gains)
        return Record(flags=flags, scale=scale, moved=moved, outcome=outcome, **told, **cell)

    @classmethod
    def load(cls, path: Path) -> Shelf:
        """Returns what is kept; nothing if there is nothing, or it is damaged."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            told = json.loads(arrays.pop("told").tobytes())
            names = {(tuple(images), tuple(clips)): i for i, (images, clips) in enumerate(told["names"])}
            return cls(names, told["cells"], arrays)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return cls()

    def save(self, path: Path) -> None:
        """Keeps the records where the folder may be written to; where not, they are read again the next time."""
        packed = io.BytesIO()
        text = np.frombuffer(json.dumps({"names": list(self.names), "cells": self.cells}).encode(), np.uint8)
        np.savez(packed, told=text, **self.arrays)  # type: ignore[arg-type]  # the stubs take a name for an option
        with suppress(BenchError):
            write_atomically(path, packed.getvalue())


def read_records(paths: Sequence[Path], ranges: Ranges, processes: Processes | None = None) -> list[Record]:
    """Returns the records of all cells of run folders and CSVs.

    What was read is kept in the run folders, below `.work`, a file per metric. It counts as long as the stamp, the size
    and the time of the CSV, the metric's range and the code that scores stay the same; a damaged file is made anew.

    Args:
        paths: Run folders and CSVs.
        ranges: Measured ranges.
        processes: What reads the metrics side by side, where there are many rows.

    Raises:
        BenchError: If a path does not exist or holds no cell.
    """
    shelves: dict[tuple[Path, Path | None], list[Path]] = {}
    for path in paths:
        for cell in find_cells([path]):
            kept = path / ".work" / cell.parent.name / "scored.npz" if path.is_dir() else None
            shelves.setdefault((cell.parent, kept), []).append(cell)
    jobs = [(cells, ranges, kept) for (_, kept), cells in shelves.items()]
    rows = sum(_rows_to_read(cells, kept) for cells, _, kept in jobs)
    found = (processes or Processes()).map(_of_folder, jobs, rows)
    return list({(record.path, *_setting(record)): record for own in found for record in own}.values())


def _rows_to_read(cells: Sequence[Path], kept: Path | None) -> int:
    """Returns about how many rows there are, those that were written before records were kept as a tenth: a guess."""
    since = kept.stat().st_mtime_ns if kept and kept.exists() else 0
    about = [path.stat() for path in cells if path.is_file()]
    return sum(file.st_size if file.st_mtime_ns > since else file.st_size // 10 for file in about) // BYTES


def _setting(record: Record) -> tuple[str, ...]:
    return (record.dataset, record.variant, record.train_dataset, str(record.amplitude))


def _of_folder(cells: Sequence[Path], ranges: Ranges, kept: Path | None) -> list[Record]:
    """Returns the records of a metric's cells; those that are not kept yet are read, and kept."""
    before = Shelf.load(kept) if kept else Shelf()
    found: dict[Path, tuple[str, list[Record]]] = {}
    for path in cells:
        stamp = read_stamp(path.with_suffix(".json"))
        key = _key(path, stamp, ranges)
        same = key and before.keys.get(path.name) == key
        found[path] = (key, before.records(path, stamp) if same else list(of_cell(read_cell(path), ranges)))
    if kept and before.keys != {path.name: key for path, (key, _) in found.items() if key}:
        now = Shelf()
        for path, (key, own) in found.items():
            if key:
                now.put(path.name, key, own)
        now.save(kept)
    return [record for _, own in found.values() for record in own]


def _key(path: Path, stamp: Stamp | None, ranges: Ranges) -> str:
    """Returns what a cell's records depend on; nothing where they may not be kept."""
    if stamp is None or stamp.status != "done" or not path.is_file():
        return ""
    about = path.stat()
    parts = [stamp.to_json(), about.st_size, about.st_mtime_ns, ranges.get(stamp.metric.name), _code()]
    return digest(json.dumps(parts).encode())


@cache
def _code() -> str:
    """Returns a digest of the modules that make records of rows."""
    files = [*sorted(CODE.rglob("*.py")), *sorted((CODE.parent / "cells").glob("*.py"))]
    found = hashlib.sha256(np.__version__.encode())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()
