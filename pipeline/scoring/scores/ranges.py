"""The range that a metric's scores are scaled by: measured where it was, declared where not.

Measured is the smallest and the largest score of clear images. Full-reference metrics keep the declared one: their
clear image is the reference, compressed, whose scores lie in a small part of what the metric can say.
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
    """A line of ranges.csv."""

    metric: str
    low: str
    high: str
    n: str  # images
    dataset: str
    digest: str  # of the data set
    date: str
    declared_low: str
    declared_high: str
    difference: str  # from the declared range, in words


class MeasuredOn(NamedTuple):
    """What a range was measured on."""

    images: int
    dataset: str
    digest: str
    date: str


def line_of(metric: str, found: Range, declared: Range, source: MeasuredOn) -> Measured:
    """Returns the line of a metric whose clear scores were measured, compared with the range that it declares."""
    ends = [f"{value:.6g}" for value in (*found, *declared)]
    where = [str(source.images), source.dataset, source.digest, source.date]
    return Measured._make([metric, *ends[:2], *where, *ends[2:], difference(found, declared)])


def difference(found: Range, declared: Range) -> str:
    """Says how a measured range differs from the declared one: in its unit, its ends, its width."""
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
    """Returns the lines of a ranges.csv by metric; none if there is no such file. Columns it lacks are empty."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [Measured(*(row.get(column) or "" for column in Measured._fields)) for row in csv.DictReader(file)]
    return {row.metric: row for row in rows}


def as_csv(lines: Iterable[Measured]) -> str:
    """Returns ranges.csv, its metrics sorted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([Measured._fields, *sorted(lines)])
    return text.getvalue()


def read_ranges(path: Path | None = None) -> Ranges:
    """Returns the measured ranges, {metric: (low, high)}, of a file, or of results/; none where it does not exist.

    Raises:
        DataError: If a line of it is not a range.
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
    """Returns the scale that ranks: the measured range, else the one that the metric declares."""
    metric = stamp.metric
    measured = measured_scale(metric.name, ranges, higher_is_better=metric.higher_is_better)
    return measured or ScoreScale(*metric.score_range, metric.higher_is_better, "declared")
