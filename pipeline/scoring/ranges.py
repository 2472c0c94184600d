"""The range that a metric's scores are scaled by: measured where it was, declared where not."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.errors import DataError
from pipeline.scoring.robustness import Scale
from pipeline.stamp import Stamp

RANGES = Path(__file__).resolve().parents[2] / "results" / "ranges.csv"  # columns metric, low, high, n, dataset, date

Ranges = dict[str, tuple[float, float]]


def read_ranges(path: Path = RANGES) -> Ranges:
    """Returns the measured ranges, {metric: (low, high)}; none if there is no such file.

    Raises:
        DataError: If a line of it is not a range.
    """
    if not path.exists():
        return {}
    ranges = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                ranges[row["metric"]] = (float(row["low"]), float(row["high"]))
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(f"{path} must hold metric, low and high; line {line} does not: correct it") from error
    return ranges


def fixed_scale(metric: str, stamp: Stamp | None, ranges: Ranges, *, higher_is_better: bool = True) -> Scale | None:
    """Returns the scale that ranks: the measured range, else the declared one; None if neither is known.

    Args:
        metric: The metric's name.
        stamp: Of the cell; its word on the direction counts.
        ranges: What `read_ranges` returned.
        higher_is_better: The direction where there is no stamp.
    """
    direction = stamp.metric.higher_is_better if stamp else higher_is_better
    if metric in ranges:
        return Scale(*ranges[metric], direction, "ranges.csv")
    return Scale(*stamp.metric.score_range, direction, "declared") if stamp else None
