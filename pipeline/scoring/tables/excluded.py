"""Makes excluded.csv: every image, and every other file of a data set, that gave no row, each with the reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from metric_robustness.pipeline.scoring.board.records import Record

COLUMNS = ("dataset", "image", "reason", "metrics")
ALL = "all"


def excluded_csv(records: Iterable[Record]) -> str:
    """Returns a line per data set, image and reason, with the metrics that have no row of it; nothing without lines."""
    found: dict[tuple[str, str, str], set[str]] = {}
    rated: dict[str, set[str]] = {}
    for stamp in {record.path: record.stamp for record in records if record.stamp}.values():
        for facts in (*stamp.datasets, *stamp.train):
            rated.setdefault(facts.name, set()).add(stamp.metric.name)
            for image, reason in facts.excluded.items():
                found.setdefault((facts.name, image, reason), set()).add(stamp.metric.name)
    if not found:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for (dataset, image, reason), metrics in sorted(found.items()):
        writer.writerow([dataset, image, reason, ALL if metrics == rated[dataset] else " ".join(sorted(metrics))])
    return text.getvalue()
