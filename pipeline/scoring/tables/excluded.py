"""Makes excluded.csv: every image, and every other file of a data set, that gave no row, each with the reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.scoring.board.records import Record
from metric_robustness.pipeline.scoring.read.rows import ExcludedRow

COLUMNS = ("dataset", "image", "reason", "metrics")
ALL = "all"


def excluded_csv(
    records: Iterable[Record],
    stamps: Mapping[Path, Stamp | None] = MappingProxyType({}),
    rows: Iterable[tuple[str, ExcludedRow]] = (),
) -> str:
    """Returns a line per data set, image and reason, with the metrics that have no row of it; nothing without lines.

    Args:
        records: The records of all cells that have some.
        stamps: The stamps of cells that may have no records, by CSV.
        rows: The rows of such cells that are not used, each with its metric.
    """
    records = list(records)
    known = {path: stamp for path, stamp in stamps.items() if stamp}
    known |= {record.path: record.stamp for record in records if record.stamp}
    rated: dict[str, set[str]] = {}
    for stamp in known.values():
        for facts in (*stamp.datasets, *stamp.train):
            rated.setdefault(facts.name, set()).add(stamp.metric.name)
    found: dict[tuple[str, str, str], set[str]] = {}
    for metric, line in (*_stamped(known.values()), *_of_rows(records, rows)):
        found.setdefault(line, set()).add(metric)
    if not found:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for (dataset, image, reason), metrics in sorted(found.items()):
        everywhere = metrics == rated.get(dataset)
        writer.writerow([dataset, image, reason, ALL if everywhere else " ".join(sorted(metrics))])
    return text.getvalue()


def _stamped(stamps: Iterable[Stamp]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yields what stamps say of images and other files, each with the metric."""
    for stamp in stamps:
        for facts in (*stamp.datasets, *stamp.train):
            for image, reason in facts.passed_over.items():
                yield stamp.metric.name, (facts.name, image, reason)


def _of_rows(
    records: Iterable[Record], rows: Iterable[tuple[str, ExcludedRow]]
) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yields the images whose rows cannot be used, each with the metric."""
    for record in records:
        for image, reason in (record.scored.excluded if record.scored else {}).items():
            yield record.metric, (record.dataset, image, reason)
    for metric, row in rows:
        yield metric, (row.dataset, row.image, row.reason)
