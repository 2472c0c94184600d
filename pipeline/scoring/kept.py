"""The records of cells that did not change since they were last scored, kept so that their rows are not read again."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import BenchError
from pipeline.files import digest, write_atomically
from pipeline.scoring.cells import Status, find_cells, read_cell
from pipeline.scoring.outcomes import Outcome, moved_images
from pipeline.scoring.ranges import Ranges
from pipeline.scoring.records import Record, of_cell
from pipeline.scoring.reliability import Flag
from pipeline.scoring.robustness import Scale
from pipeline.stamp import Stamp, read_stamp

CODE = Path(__file__).resolve().parent
ARRAYS = ("before", "after", "gains")
PLAIN = (
    *("metric", "attack", "dataset", "status", "reason", "variant", "train_dataset", "amplitude", "asked", "subset"),
    "costs",
)

Told = dict[str, Any]  # what JSON can hold
Arrays = dict[str, np.typing.NDArray[Any]]


def read_records(paths: Sequence[Path], ranges: Ranges) -> list[Record]:
    """Returns the records of all cells of run folders and CSVs.

    What was read is kept in the run folders, below `.work`, a file per metric. It counts as long as the stamp, the size
    and the time of the CSV, the metric's range and the code that scores stay the same; a damaged file is made anew.

    Raises:
        BenchError: If a path does not exist or holds no cell.
    """
    found: list[Record] = []
    for path in paths:
        folders: dict[Path, list[Path]] = {}
        for cell in find_cells([path]):
            folders.setdefault(cell.parent, []).append(cell)
        for folder, cells in folders.items():
            kept = path / ".work" / folder.name / "scored.npz" if path.is_dir() else None
            found += _of_folder(cells, ranges, kept)
    return list({(record.path, *_setting(record)): record for record in found}.values())


def _setting(record: Record) -> tuple[str, ...]:
    return (record.dataset, record.variant, record.train_dataset, str(record.amplitude))


def _of_folder(cells: Sequence[Path], ranges: Ranges, kept: Path | None) -> Iterator[Record]:
    """Yields the records of a metric's cells; those that are not kept yet are read, and kept."""
    told, arrays = _load(kept) if kept else ({}, {})
    now: Told = {}
    now_arrays: Arrays = {}
    for path in cells:
        stamp = read_stamp(path.with_suffix(".json"))
        key = _key(path, stamp, ranges)
        if path.name in told and told[path.name]["key"] == key:
            own = [
                _unpacked(each, path, stamp, arrays, f"{path.name}/{i}")
                for i, each in enumerate(told[path.name]["records"])
            ]
        else:
            own = list(of_cell(read_cell(path), ranges))
        yield from own
        if key:
            now[path.name] = {"key": key, "records": [_packed(record) for record in own]}
            for i, record in enumerate(own):
                now_arrays |= {f"{path.name}/{i}/{name}": array for name, array in _arrays(record).items()}
    if kept and now != told:
        _save(kept, now, now_arrays)


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
    files = [*sorted(CODE.glob("*.py")), CODE.parent / "rows.py", CODE.parent / "stamp.py"]
    found = hashlib.sha256(np.__version__.encode())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()


def _load(path: Path) -> tuple[Told, Arrays]:
    """Returns what is kept; nothing if there is nothing, or it is damaged."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return json.loads(arrays.pop("told").tobytes()), arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}, {}


def _save(path: Path, told: Told, arrays: Arrays) -> None:
    """Keeps records where the folder may be written to; where not, they are read again the next time."""
    packed = io.BytesIO()
    text = np.frombuffer(json.dumps(told).encode(), np.uint8)
    np.savez(packed, told=text, **arrays)  # type: ignore[arg-type]  # the stubs take the names for an option
    try:
        write_atomically(path, packed.getvalue())
    except BenchError:
        return


def _packed(record: Record) -> Told:
    told = {name: getattr(record, name) for name in ("metric", "attack", "dataset", "status", "reason")}
    told |= {
        name: getattr(record, name) for name in ("variant", "train_dataset", "amplitude", "asked", "subset", "costs")
    }
    told["flags"] = [asdict(flag) for flag in record.flags]
    told["scale"] = asdict(record.scale) if record.scale else None
    if record.outcome is not None and record.moved is not None:
        told["images"], told["clips"] = list(record.moved.index), list(record.moved["clip"])
        told["outcome"] = {name: getattr(record.outcome, name) for name in ("n", "scores", "intervals")}
    return told


def _arrays(record: Record) -> Arrays:
    if record.outcome is None or record.moved is None:
        return {}
    columns = {name: record.moved[name].to_numpy() for name in ("before", "after")}
    return {**columns, "gains": record.outcome.gains}


def _unpacked(told: Told, path: Path, stamp: Stamp | None, arrays: Arrays, place: str) -> Record:
    told = dict(told)
    images, clips, outcome = (told.pop(name, None) for name in ("images", "clips", "outcome"))
    status: Status = told.pop("status")
    flags = tuple(Flag(each["code"], each["text"], tuple(each["attacks"])) for each in told.pop("flags"))
    scale = Scale(**scale) if (scale := told.pop("scale")) else None
    before, after, gains = (arrays.get(f"{place}/{name}") for name in ARRAYS)
    moved = None
    if outcome and before is not None and after is not None and gains is not None:
        moved = moved_images(images, clips, before, after)
        spread = {name: (low, high) for name, (low, high) in outcome["intervals"].items()}
        outcome = Outcome(outcome["n"], outcome["scores"], spread, gains)
    return Record(path=path, status=status, stamp=stamp, flags=flags, scale=scale, moved=moved, outcome=outcome, **told)
