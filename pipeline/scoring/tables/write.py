"""Writes the tables of run folders: scores, leaderboard, order, overtaking, transfer, defences, excluded files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import write_atomically
from metric_robustness.pipeline.scoring.board.consistency import together
from metric_robustness.pipeline.scoring.board.defended_cells import DefendedCells
from metric_robustness.pipeline.scoring.board.leaderboard import Leaderboard, build
from metric_robustness.pipeline.scoring.board.record_cache import cache_lock, read_records
from metric_robustness.pipeline.scoring.processes import Processes
from metric_robustness.pipeline.scoring.scores.defences import Defended
from metric_robustness.pipeline.scoring.scores.ranges import Ranges, read_ranges
from metric_robustness.pipeline.scoring.tables.csv_json import leaderboard_csv, leaderboard_json, order_csv, scores_csv
from metric_robustness.pipeline.scoring.tables.defences import defences_csv, defences_md, print_defences
from metric_robustness.pipeline.scoring.tables.excluded import excluded_csv
from metric_robustness.pipeline.scoring.tables.markdown import to_markdown
from metric_robustness.pipeline.scoring.tables.overtaken import OvertakenLine, overtaken_csv, overtakings
from metric_robustness.pipeline.scoring.tables.parquet import TEXT, to_parquet
from metric_robustness.pipeline.scoring.tables.terminal import print_leaderboard
from metric_robustness.pipeline.scoring.tables.transfer import Transferred, transfer_csv, transfer_tables, transferred

__all__ = [
    "print_defences",
    "print_leaderboard",
    "transfer_tables",
    "what_defences_did",
    "what_transferred",
    "what_was_overtaken",
    "write_tables",
]


def write_tables(folders: Sequence[Path], out: Path, ranges: Path | None = None) -> Leaderboard:
    """Writes the tables of one or several run folders and returns the leaderboard.

    The files depend on the cells alone: the same cells, in any order, give the same bytes. The rows of a cell that did
    not change since the last call are not read again; with defences, all rows of a metric with a changed cell are. Two
    calls for one run folder, of two processes, take place one after the other.

    Args:
        folders: Run folders. Of a cell that stands in two of them, the second is reported as corrupt.
        out: The folder to write the tables to; for a single run folder, that folder itself.
        ranges: The file of measured ranges; by default results/ranges.csv.

    Raises:
        BenchError: If a folder holds no cell, or `out` cannot be written to, or holds rows that are not of `folders`.
        DataError: If the file of measured ranges is damaged.
    """
    require_no_other_rows(out, folders)
    with cache_lock(folders):
        return _write(folders, out, read_ranges(ranges))


def _write(folders: Sequence[Path], out: Path, ranges: Ranges) -> Leaderboard:
    with Processes() as processes:
        found = together(read_records(folders, ranges, processes), processes)
        board = build(found, processes)
        contests = overtakings(found, processes)
        cells = DefendedCells.find(folders, ranges)
        defences = cells.results(processes)
    write_atomically(out / "scores.csv", scores := scores_csv(found))
    write_atomically(out / "scores.parquet", to_parquet(scores))
    if (told := excluded_csv(found, cells.stamps, defences.excluded)) or (out / "excluded.csv").exists():
        write_atomically(out / "excluded.csv", told)
    write_atomically(out / "leaderboard.md", to_markdown(board))
    write_atomically(out / "leaderboard.csv", standings := leaderboard_csv(board))
    write_atomically(out / "leaderboard.parquet", to_parquet(standings, TEXT | {"missing"}))
    write_atomically(out / "leaderboard.json", leaderboard_json(board, found, contests))
    write_atomically(out / "order.csv", order_csv(board))
    if contests or (out / "overtaken.csv").exists():
        write_atomically(out / "overtaken.csv", overtaken_csv(contests))
    if crossed := transferred(found):
        write_atomically(out / "transfer.csv", transfer_csv(crossed))
    if defences.lines:
        write_atomically(out / "defences.csv", of_defences := defences_csv(defences.lines))
        write_atomically(out / "defences.parquet", to_parquet(of_defences))
    if defences.lines or defences.missing:
        write_atomically(out / "defences.md", defences_md(defences.lines, defences.missing))
    return board


def what_transferred(folders: Sequence[Path], ranges: Path | None = None) -> list[Transferred]:
    """Returns the lines of transfer.csv."""
    with cache_lock(folders), Processes() as processes:
        return transferred(together(read_records(folders, read_ranges(ranges), processes), processes))


def what_was_overtaken(folders: Sequence[Path], ranges: Path | None = None) -> list[OvertakenLine]:
    """Returns the lines of overtaken.csv."""
    with cache_lock(folders), Processes() as processes:
        found = together(read_records(folders, read_ranges(ranges), processes), processes)
        return overtakings(found, processes)


def require_no_other_rows(out: Path, folders: Sequence[Path] = ()) -> None:
    """Raises BenchError if a folder holds cells, and is none of `folders`: tables of others would replace its own."""
    own = {folder.resolve() for folder in folders}
    if out.resolve() not in own and any(map(Stamp.read, out.glob("[!.]*/[!.]*.json"))):
        raise BenchError(f"{out} holds the rows of another run, whose tables it keeps: choose another --out")


def what_defences_did(folders: Sequence[Path], ranges: Path | None = None) -> tuple[list[Defended], list[str]]:
    """Returns the lines of the tables of defences, and what must be run for those that are missing."""
    with Processes() as processes:
        found = DefendedCells.find(folders, read_ranges(ranges)).results(processes)
    return found.lines, found.missing
