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


def measured_scale(metric: str, ranges: Ranges, *, higher_is_better: bool) -> Scale | None:
    """Returns the scale of a metric's measured range, or None if it was not measured."""
    return Scale(*ranges[metric], higher_is_better, "ranges.csv") if metric in ranges else None


def fixed_scale(stamp: Stamp, ranges: Ranges) -> Scale:
    """Returns the scale that ranks: the measured range, else the one that the metric declares."""
    metric = stamp.metric
    measured = measured_scale(metric.name, ranges, higher_is_better=metric.higher_is_better)
    return measured or Scale(*metric.score_range, metric.higher_is_better, "declared")
