"""Makes excluded.csv: every image, and every other file of a data set, that gave no row, each with the reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.scoring.board.records import Record
from metric_robustness.pipeline.scoring.read.cells import StoredCell

COLUMNS = ("dataset", "image", "reason", "metrics")
ALL = "all"


def excluded_csv(records: Iterable[Record], defended: Iterable[StoredCell] = ()) -> str:
    """Returns a line per data set, image and reason, with the metrics that have no row of it; nothing without lines.

    Args:
        records: The records of all cells that have some.
        defended: The cells of defended metrics, of which there are no records.
    """
    records, defended = list(records), list(defended)
    stamps = {record.path: record.stamp for record in records if record.stamp}
    stamps |= {cell.path: cell.stamp for cell in defended if cell.stamp}
    rated: dict[str, set[str]] = {}
    for stamp in stamps.values():
        for facts in (*stamp.datasets, *stamp.train):
            rated.setdefault(facts.name, set()).add(stamp.metric.name)
    found: dict[tuple[str, str, str], set[str]] = {}
    for metric, line in (*_stamped(stamps.values()), *_of_rows(records, defended)):
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


def _of_rows(records: Iterable[Record], defended: Iterable[StoredCell]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yields the images whose rows cannot be used, each with the metric."""
    for record in records:
        for image, reason in (record.scored.excluded if record.scored else {}).items():
            yield record.metric, (record.dataset, image, reason)
    for cell in defended:
        for row in cell.excluded:
            yield cell.metric, (row.dataset, row.image, row.reason)
