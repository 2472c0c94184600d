"""What defences did, metric by metric, kept in the record cache: rows are read of metrics with a changed cell only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.scoring.board.derived import Derived, Foundation
from metric_robustness.pipeline.scoring.board.record_cache import cell_key, rows_in
from metric_robustness.pipeline.scoring.processes import Processes
from metric_robustness.pipeline.scoring.read.cells import find_cells, read_cell
from metric_robustness.pipeline.scoring.read.rows import ExcludedRow
from metric_robustness.pipeline.scoring.scores.defences import (
    Defended,
    about_defences,
    defended,
    without_bare,
    without_rows,
)
from metric_robustness.pipeline.scoring.scores.ranges import Ranges


@dataclass(frozen=True)
class DefenceResults:
    """What defences did, as tables tell it."""

    lines: list[Defended]  # of defences.csv, sorted
    missing: list[str]  # why lines are missing, or what to run for them
    excluded: list[tuple[str, ExcludedRow]]  # the rows that are not used, each with its metric


@dataclass(frozen=True)
class DefendedCells:
    """The cells of metrics that have defences, bare and behind them; their rows are not read yet."""

    folders: tuple[Path, ...]
    ranges: Ranges
    stamps: Mapping[Path, Stamp | None]  # CSV -> its stamp

    @classmethod
    def find(cls, folders: Sequence[Path], ranges: Ranges) -> DefendedCells:
        """Returns those of run folders.

        Args:
            folders: The run folders.
            ranges: Measured ranges.

        Raises:
            BenchError: If a folder does not exist or holds no cell.
        """
        paths = about_defences(find_cells(folders))
        return cls(tuple(folders), ranges, {path: Stamp.read(path.with_suffix(".json")) for path in paths})

    def results(self, processes: Processes) -> DefenceResults:
        """Returns what defences did to all metrics; reads the rows of those that are not in the cache.

        Args:
            processes: The processes that read metrics in parallel where there are many rows.
        """
        metrics: dict[str, dict[Path, str]] = {}
        empty: list[Path] = []
        for path, stamp in self.stamps.items():
            key = cell_key(path, stamp, self.ranges)
            if not key and stamp:
                empty.append(path)
            elif key or path.is_file():
                name = stamp.metric.name if stamp else path.parent.name
                metrics.setdefault(name.partition("+")[0], {})[path] = key
        foundations = [self._foundation(metric, keys) for metric, keys in metrics.items()]
        jobs = [(list(keys), self.ranges) for keys in metrics.values()]
        found = Derived(_of_metric, list[DefenceResults]).at(foundations, jobs, processes)
        return DefenceResults(
            sorted((line for each in found for line in each.lines), key=lambda line: line.case.order),
            sorted([*(line for each in found for line in each.missing), *without_rows(map(read_cell, empty))]),
            [row for each in found for row in each.excluded],
        )

    def _foundation(self, metric: str, keys: Mapping[Path, str]) -> Foundation:
        """Returns what the results of a metric stand on; rows without a stamp have no key, and are read each time."""
        folder = next((each for each in self.folders if each in next(iter(keys)).parents), None)
        file = folder / ".work" / metric / "defences.derived" if folder and all(keys.values()) else None
        return Foundation(file, f"defences {digest(json.dumps(list(keys.values())).encode())}", rows_in(keys))


def _of_metric(paths: Sequence[Path], ranges: Ranges) -> DefenceResults:
    """Returns what the cells of a metric, bare and behind defences, say of the defences."""
    cells = [read_cell(path) for path in paths]
    excluded = [(cell.metric, row) for cell in cells for row in cell.excluded]
    return DefenceResults(defended(cells, ranges), without_bare(cells) + without_rows(cells), excluded)
