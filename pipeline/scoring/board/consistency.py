"""Checks of all cells together: cells that occur twice, cells measured differently from the rest, doubtful gains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from metric_robustness.pipeline.scoring.board.comparison_flags import doubtful
from metric_robustness.pipeline.scoring.board.records import Record, of_cell
from metric_robustness.pipeline.scoring.processes import Processes
from metric_robustness.pipeline.scoring.read.cells import StoredCell, clashes
from metric_robustness.pipeline.scoring.scores.ranges import Ranges


def records(cells: Iterable[StoredCell], ranges: Ranges) -> list[Record]:
    """Returns the records of all cells, sorted and compared; a record without rows has the reason."""
    return together(record for cell in cells for record in of_cell(cell, ranges))


def together(found: Iterable[Record], processes: Processes | None = None) -> list[Record]:
    """Returns the records of all cells, sorted and compared.

    A cell that occurs twice counts once. A cell does not count if it was measured by an older protocol than others on
    its data set, or on other images than most of them.

    Args:
        found: The records.
        processes: The processes that compare records in parallel where there are many rows.
    """
    ordered = sorted(found, key=_place)
    again = clashes(
        (record.path, (record.metric, record.attack, record.dataset, record.variant))
        for record in ordered
        if record.status == "done"
    )
    once = [
        record.without_rows("corrupt", again[record.path]) if record.path in again else record for record in ordered
    ]
    return doubtful(_of_one_measure(once), processes or Processes())


def _place(record: Record) -> tuple[str, ...]:
    return (record.metric, record.attack, *map(str, record.on), str(record.path))


def _of_one_measure(records: Sequence[Record]) -> list[Record]:
    """Marks records of another protocol, or of other images, as stale: their numbers cannot be compared."""
    result = list(records)
    for dataset in sorted({record.dataset for record in records}):
        for what, words in (("protocol", "protocol"), ("digest", "images with the digest")):
            values = {i: _measure(record, what) for i, record in enumerate(result) if record.dataset == dataset}
            known = {i: value for i, value in values.items() if value is not None and result[i].status == "done"}
            if len(set(known.values())) < 2:
                continue
            usual = _usual(what, known, result)
            for i, value in known.items():
                if value != usual:
                    reason = f"measured with {words} {value}, the others with {usual}: run the cell again"
                    result[i] = result[i].without_rows("stale", reason)
    return result


def _measure(record: Record, what: str) -> str | int | None:
    if what == "protocol":
        return record.stamp.protocol if record.stamp else None
    if record.sent_in:
        return None  # they bring their clear images along
    return record.facts.digest[:12] if record.facts else None


def _usual(what: str, known: dict[int, str | int], records: Sequence[Record]) -> str | int:
    """Returns the newest protocol, or the digest of most cells; if two are as frequent, that of the newest cell."""
    if what == "protocol":
        return max(known.values(), key=int)
    count = Counter(known.values())
    newest = {value: max(_finished(records[i]) for i in known if known[i] == value) for value in count}
    return max(count, key=lambda value: (count[value], newest[value], str(value)))


def _finished(record: Record) -> str:
    return record.stamp.finished if record.stamp else ""
