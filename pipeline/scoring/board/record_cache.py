"""The record cache: records of unchanged cells, so that scoring need not read their rows again."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import digest, read_sealed, write_sealed
from metric_robustness.pipeline.scoring.board.flags import Flag
from metric_robustness.pipeline.scoring.board.records import AttackSetting, Record, Scored, of_cell
from metric_robustness.pipeline.scoring.processes import Processes
from metric_robustness.pipeline.scoring.read.cells import find_cells, read_cell
from metric_robustness.pipeline.scoring.scores.effects import Effect, pairs_by_image
from metric_robustness.pipeline.scoring.scores.overtaken import Truth
from metric_robustness.pipeline.scoring.scores.ranges import Ranges
from metric_robustness.pipeline.scoring.scores.robustness import ScoreScale

CODE = Path(__file__).resolve().parents[1]
ROW_BYTES = 100  # the length of a row in a CSV, roughly
PACKED = {"path", "stamp", "on", "scored", "flags"}  # a record's fields that JSON cannot hold unchanged
PLAIN = tuple(each.name for each in fields(Record) if each.name not in PACKED)

Json = dict[str, Any]  # what JSON can hold
Arrays = dict[str, np.typing.NDArray[Any]]
Names = tuple[tuple[str, ...], tuple[str, ...]]  # of images, and of their clips


@dataclass
class CachedRecords:
    """The cached records of a metric's cells: what one file of the record cache holds.

    Image names are stored once for all cells that have the same images, because they take most of the space.
    """

    names: dict[Names, int] = field(default_factory=dict)  # -> the number under which cells refer to them
    cells: dict[str, Json] = field(default_factory=dict)  # CSV's name -> key and records
    arrays: Arrays = field(default_factory=dict)  # CSV's name/record/column -> numbers

    @property
    def keys(self) -> dict[str, str]:
        """Returns, by CSV name, the hash of everything that the cached records depend on."""
        return {name: cell["key"] for name, cell in self.cells.items()}

    def put(self, name: str, key: str, records: Sequence[Record]) -> None:
        """Adds the records of a cell, with the hash of everything that they depend on."""
        self.cells[name] = {"key": key, "records": [self._packed(record) for record in records]}
        for i, record in enumerate(records):
            if scored := record.scored:
                arrays = {column: scored.pairs[column].to_numpy() for column in ("before", "after", "linf")}
                arrays["gains"] = scored.effect.gains
                if scored.truth:
                    arrays["places"] = scored.truth.places
                self.arrays |= {f"{name}/{i}/{column}": array for column, array in arrays.items()}

    def records(self, path: Path, stamp: Stamp | None) -> list[Record]:
        """Returns the records of a cell that the cache holds.

        Args:
            path: The cell's CSV.
            stamp: The cell's stamp, which the cache does not hold.
        """
        known = list(self.names)
        return [
            self._unpacked(dict(packed), known, f"{path.name}/{i}", {"path": path, "stamp": stamp})
            for i, packed in enumerate(self.cells[path.name]["records"])
        ]

    def _packed(self, record: Record) -> Json:
        packed = {name: getattr(record, name) for name in PLAIN}
        packed["on"] = list(record.on)
        packed["flags"] = [asdict(flag) for flag in record.flags]
        if scored := record.scored:
            names = (tuple(scored.pairs.index), tuple(scored.pairs["clip"]))
            packed["scored"] = {
                "names": self.names.setdefault(names, len(self.names)),
                "effect": {name: getattr(scored.effect, name) for name in ("n", "scores", "intervals")},
                "scale": asdict(scored.scale),
                "rungs": scored.truth and scored.truth.rungs,
                **{name: getattr(scored, name) for name in ("subset", "costs", "opinions", "excluded")},
            }
        return packed

    def _unpacked(self, packed: Json, known: Sequence[Names], place: str, cell: Json) -> Record:
        flags = tuple(Flag(each["code"], each["text"], tuple(each["attacks"])) for each in packed.pop("flags"))
        setting, scored = AttackSetting(*packed.pop("on")), packed.pop("scored", None)
        return Record(flags=flags, on=setting, scored=scored and self._scored(scored, known, place), **packed, **cell)

    def _scored(self, packed: Json, known: Sequence[Names], place: str) -> Scored:
        before, after, linf, gains = (self.arrays[f"{place}/{name}"] for name in ("before", "after", "linf", "gains"))
        effect = packed["effect"]
        intervals = {name: (low, high) for name, (low, high) in effect["intervals"].items()}
        return Scored(
            pairs=pairs_by_image(*known[packed["names"]], before, after, linf),
            effect=Effect(effect["n"], effect["scores"], intervals, gains),
            scale=ScoreScale(**packed["scale"]),
            truth=None if packed["rungs"] is None else Truth(self.arrays[f"{place}/places"], packed["rungs"]),
            **{name: packed[name] for name in ("subset", "costs", "opinions", "excluded")},
        )

    @classmethod
    def load(cls, path: Path) -> CachedRecords:
        """Returns what a cache file holds; no records if the file is missing or damaged."""
        with suppress(BenchError):  # where it may not be read, the rows are
            if content := read_sealed(path, f"records {_code()}"):
                with np.load(io.BytesIO(content), allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
                index = json.loads(arrays.pop("index").tobytes())
                names = {(tuple(images), tuple(clips)): i for i, (images, clips) in enumerate(index["names"])}
                return cls(names, index["cells"], arrays)
        return cls()

    def save(self, path: Path) -> None:
        """Writes the cache file; does nothing if it cannot be written, since rows can be read again next time."""
        packed = io.BytesIO()
        text = np.frombuffer(json.dumps({"names": list(self.names), "cells": self.cells}).encode(), np.uint8)
        np.savez(packed, index=text, **self.arrays)  # type: ignore[arg-type]  # the stubs take arrays for options
        with suppress(BenchError):
            write_sealed(path, packed.getvalue(), f"records {_code()}")


def read_records(paths: Sequence[Path], ranges: Ranges, processes: Processes | None = None) -> list[Record]:
    """Returns the records of all cells of run folders and CSVs.

    The records are cached in the run folders, below `.work`, one file per metric. A cached record is used as long as
    the stamp, the size and time of the CSV, the metric's range and the code that scores stay the same. A damaged cache
    file is written again.

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
            cache = path / ".work" / cell.parent.name / "scored.records" if path.is_dir() else None
            groups.setdefault((cell.parent, cache), []).append(cell)
    jobs = [(cells, ranges, cache) for (_, cache), cells in groups.items()]
    rows = sum(_rows_to_read(cells, cache) for cells, _, cache in jobs)
    found = (processes or Processes()).map(_of_folder, jobs, rows)
    return list({(record.path, *map(str, record.on)): record for own in found for record in own}.values())


def _rows_to_read(cells: Sequence[Path], cache: Path | None) -> int:
    """Returns a guess of how many rows must be read; a CSV older than the cache is likely in it: it counts a tenth."""
    since = cache.stat().st_mtime_ns if cache and cache.exists() else 0
    about = [path.stat() for path in cells if path.is_file()]
    return sum(file.st_size if file.st_mtime_ns > since else file.st_size // 10 for file in about) // ROW_BYTES


def _of_folder(cells: Sequence[Path], ranges: Ranges, cache: Path | None) -> list[Record]:
    """Returns the records of a metric's cells; reads those that are not in the cache, and adds them to it."""
    before = CachedRecords.load(cache) if cache else CachedRecords()
    found: dict[Path, tuple[str, list[Record]]] = {}
    for path in cells:
        stamp = Stamp.read(path.with_suffix(".json"))
        key = _key(path, stamp, ranges)
        same = key and before.keys.get(path.name) == key
        found[path] = (key, before.records(path, stamp) if same else list(of_cell(read_cell(path), ranges)))
    if cache and before.keys != {path.name: key for path, (key, _) in found.items() if key}:
        now = CachedRecords()
        for path, (key, own) in found.items():
            if key:
                now.put(path.name, key, own)
        now.save(cache)
    return [record for _, own in found.values() for record in own]


def _key(path: Path, stamp: Stamp | None, ranges: Ranges) -> str:
    """Returns the hash of what a cell's records depend on; empty where they must not be cached."""
    if stamp is None or stamp.status != "done" or not path.is_file():
        return ""
    file = path.stat()
    parts = [stamp.to_json(), file.st_size, file.st_mtime_ns, ranges.get(stamp.metric.name), _code()]
    return digest(json.dumps(parts).encode())


@cache
def _code() -> str:
    """Returns the hash of the code that turns rows into records, and of numpy's version."""
    files = [*sorted(CODE.rglob("*.py")), *sorted((CODE.parent / "cells").glob("*.py"))]
    found = hashlib.sha256(np.__version__.encode())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()
