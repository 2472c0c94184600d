"""Finds and reads the cells of run folders and CSVs; a cell that cannot be used comes with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pandas as pd

from metric_robustness.pipeline.cells.proof import proof_of
from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.read.rows import ExcludedRow, RowsError, no_rows, read_rows

# stale: measured by an older protocol, or on other images, than the other cells of the data set.
Status = Literal["done", "failed", "skipped", "spared", "corrupt", "stale"]

# CSVs that are no cells
TABLES = {"scores", "leaderboard", "ranges", "defences", "excluded", "order", "transfer", "overtaken"}
PUBLISHED_NAME = re.compile(r"(?P<attack>.+)_(?P<metric>[^_]+)_test")
PUBLISHED_ATTACKS = {"uap": "default-uap"}  # the authors' file name and attack name differ


@dataclass(frozen=True)
class StoredCell:
    """A metric under an attack: its rows and stamp, or the reason why there are no rows."""

    path: Path  # of the CSV, which may be missing
    metric: str
    attack: str
    status: Status
    reason: str = ""  # why there are no rows; empty if there are
    stamp: Stamp | None = None  # None for published rows
    rows: pd.DataFrame = field(default_factory=no_rows)
    excluded: tuple[ExcludedRow, ...] = ()
    notes: tuple[str, ...] = ()  # one line each: which data sets were renamed, how many rows dropped
    defended: pd.DataFrame = field(default_factory=no_rows)  # the rows of defended metrics


def read_cells(paths: Iterable[Path], *, parity: bool = False) -> list[StoredCell]:
    """Returns the cells of run folders and CSVs, sorted by metric, attack and path.

    Args:
        paths: Run folders, which hold METRIC/ATTACK.csv and .json, folders of CSVs, or CSVs.
        parity: Keep rows that occur more than once, as the original benchmark does.

    Raises:
        BenchError: If a path does not exist or holds no cell. A broken cell raises nothing: its `reason` says why.
    """
    cells = [read_cell(path, parity=parity) for path in find_cells(paths)]
    return _without_clashes(sorted(cells, key=lambda cell: (cell.metric, cell.attack, str(cell.path))))


def find_cells(paths: Iterable[Path]) -> list[Path]:
    """Returns the CSV paths of all cells of run folders and CSVs, sorted.

    A cell without rows has a stamp only, so that the CSV of its path does not exist.

    Raises:
        BenchError: If a path does not exist or holds no cell.
    """
    return sorted({found for path in paths for found in _find(path)})


def read_cell(path: Path, *, parity: bool = False) -> StoredCell:
    """Returns the cell of a CSV path; a missing CSV, or a damaged CSV or stamp, is named in the cell's `reason`.

    Args:
        path: The CSV; its stamp lies beside it and ends in .json; published rows have none.
        parity: Keep rows that occur more than once, as the original benchmark does.
    """
    stamp, problem = proof_of(path)
    metric, attack = (stamp.metric.name, stamp.attack.name) if stamp else _names(path)
    if stamp and stamp.status != "done":
        # An exception may have several lines; a reason has one.
        reason = " ".join(stamp.reason.split()) or "no reason was recorded"
        return StoredCell(path, metric, attack, stamp.status, reason, stamp)
    if problem and not _published(path):
        return StoredCell(path, metric, attack, "corrupt", f"{problem}: run the cell again", stamp)
    try:
        found = read_rows(path, parity=parity)
    except RowsError as error:
        return StoredCell(path, metric, attack, "corrupt", f"{path.name}: {error}: run the cell again", stamp)
    return StoredCell(path, metric, attack, "done", "", stamp, found.table, found.excluded, found.notes, found.defended)


def _published(path: Path) -> bool:
    """Tells whether rows may lack a stamp: those that others published do, and those of a run folder never."""
    return not path.with_suffix(".json").exists() and not (path.parent.parent / ".work").is_dir()


def _without_clashes(cells: list[StoredCell]) -> list[StoredCell]:
    """Marks as corrupt each cell whose rows an earlier one has too: to count both, or drop one silently, is wrong."""
    pairs = {cell.path: cell.rows[["dataset", "variant"]].drop_duplicates().to_numpy() for cell in cells}
    again = clashes((cell.path, (cell.metric, cell.attack, *pair)) for cell in cells for pair in pairs[cell.path])
    return [
        replace(cell, status="corrupt", reason=again[cell.path], rows=no_rows()) if cell.path in again else cell
        for cell in cells
    ]


def clashes(places: Iterable[tuple[Path, tuple[str, ...]]]) -> dict[Path, str]:
    """Returns the paths of the cells that repeat an earlier cell, each with the reason.

    Args:
        places: The path of each cell with what it holds, (metric, attack, data set, variant); a path may occur several
            times. Of cells that hold the same, the first is not in the result.
    """
    owners: dict[tuple[str, ...], Path] = {}
    found: dict[Path, str] = {}
    for path, place in places:
        other = owners.setdefault(place, path)
        if other != path:
            found[path] = f"{path} holds the same cell as {other}: keep one of them"
    return found


def _find(path: Path) -> Iterator[Path]:
    """Yields the CSV paths of the cells that a path holds."""
    if path.is_dir():
        found = {file.with_suffix(".csv") for file in path.glob("[!.]*/[!.]*.*") if file.suffix in {".csv", ".json"}}
        found |= {file for file in path.glob("[!.]*.csv") if file.stem not in TABLES}
        found |= {file.with_suffix(".csv") for file in path.glob("[!.]*.json") if Stamp.read(file)}
        if not found:
            raise BenchError(f"{path} must hold cells, METRIC/ATTACK.csv; got none: run with --out {path} first")
        yield from found
    elif path.suffix == ".csv" and path.is_file():
        yield path
    else:
        state = "no CSV" if path.exists() else "nothing there"
        raise BenchError(f"{path} must be a run folder or a CSV; got {state}: name what `run --out` wrote")


def _names(path: Path) -> tuple[str, str]:
    """Returns metric and attack, as in the file's name: ATTACK_METRIC_test.csv if published, else METRIC/ATTACK.csv."""
    published = PUBLISHED_NAME.fullmatch(path.stem)
    if published:
        return published["metric"], PUBLISHED_ATTACKS.get(published["attack"], published["attack"])
    return path.resolve().parent.name, path.stem
