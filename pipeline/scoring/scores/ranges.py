"""The range that a metric's scores are scaled by: the measured one if there is one, else the declared one.

The measured range goes from the smallest to the largest score of clear images. Full-reference metrics keep the declared
one: their clear image is the compressed reference, and the scores of such images fill a small part of the range only.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from metric_robustness.pipeline import places
from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.scoring.scores.robustness import ScoreScale

Ranges = dict[str, tuple[float, float]]
Range = tuple[float, float]


class Measured(NamedTuple):
    """A line of ranges.csv, as text."""

    metric: str
    low: str
    high: str
    n: str  # images
    dataset: str
    digest: str  # of the data set
    date: str
    declared_low: str
    declared_high: str
    difference: str  # from the declared range, in words; empty if it is small


class MeasuredOn(NamedTuple):
    """On which images, and when, a range was measured."""

    images: int
    dataset: str
    digest: str  # of the data set
    date: str


def line_of(metric: str, found: Range, declared: Range, source: MeasuredOn) -> Measured:
    """Returns the line of a metric, from its measured and its declared range, (low, high) in its own unit."""
    ends = [f"{value:.6g}" for value in (*found, *declared)]
    where = [str(source.images), source.dataset, source.digest, source.date]
    return Measured._make([metric, *ends[:2], *where, *ends[2:], difference(found, declared)])


def difference(found: Range, declared: Range) -> str:
    """Returns how a measured range differs from the declared one: in its unit, its ends, its width; "" if not."""
    width, wanted = found[1] - found[0], declared[1] - declared[0]
    for power in (100.0, 0.01):
        if all(abs(one - power * other) <= 0.2 * power * wanted for one, other in zip(found, declared, strict=True)):
            return f"another unit: the declared range times {power:g}"
    words = []
    if found[1] < declared[0] or found[0] > declared[1]:
        words.append("has nothing in common with the declared one: another model or unit")
    else:
        for beyond, side in ((declared[0] - found[0], "below"), (found[1] - declared[1], "above")):
            if beyond > 0.1 * wanted:
                words.append(f"reaches {beyond / wanted:.0%} of the declared range {side} it")
        if width < 0.5 * wanted:
            words.append(f"has {width / wanted:.0%} of the declared width: these images differ less")
    return "; ".join(words)


def read_lines(path: Path) -> dict[str, Measured]:
    """Returns the lines of a ranges.csv by metric; {} if there is no such file. Columns that it lacks are empty."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [Measured(*(row.get(column) or "" for column in Measured._fields)) for row in csv.DictReader(file)]
    return {row.metric: row for row in rows}


def as_csv(lines: Iterable[Measured]) -> str:
    """Returns the text of ranges.csv, sorted by metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([Measured._fields, *sorted(lines)])
    return text.getvalue()


def read_ranges(path: Path | None = None) -> Ranges:
    """Returns the measured ranges, {metric: (low, high)}; {} if the file does not exist.

    Args:
        path: The file; by default results/ranges.csv of the project.

    Raises:
        DataError: If a line lacks the metric, or its ends are no numbers.
    """
    path = path or places.results() / "ranges.csv"
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


def measured_scale(metric: str, ranges: Ranges, *, higher_is_better: bool) -> ScoreScale | None:
    """Returns the scale of a metric's measured range, or None if it was not measured."""
    return ScoreScale(*ranges[metric], higher_is_better, "ranges.csv") if metric in ranges else None


def fixed_scale(stamp: Stamp, ranges: Ranges) -> ScoreScale:
    """Returns the scale that the leaderboard uses: of the measured range, else of the one that the metric declares.

    Raises:
        DataError: If that range is not finite, or its low end is not below its high end.
    """
    metric = stamp.metric
    measured = measured_scale(metric.name, ranges, higher_is_better=metric.higher_is_better)
    return measured or ScoreScale(*metric.score_range, metric.higher_is_better, "declared")
