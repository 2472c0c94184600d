"""Images, and other files of a data set, without a row: which, why, and under which attacks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from metric_robustness.pipeline.scoring.read.cells import StoredCell


@dataclass(frozen=True)
class ExcludedImage:
    """An image that does not count for a metric."""

    image: str
    reason: str
    attacks: tuple[str, ...]


def excluded_images(cells: Iterable[StoredCell], dataset: str) -> list[ExcludedImage]:
    """Returns the images of a data set that cells of a metric have no usable row of, by name and reason.

    So are its other files, and those of the training sets, under the sets' names.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for cell in cells:
        stamped = cell.stamp.datasets if cell.stamp else []
        told = [each for facts in stamped if facts.name == dataset for each in facts.passed_over.items()]
        fitted = cell.stamp.train if cell.stamp and any(facts.name == dataset for facts in stamped) else []
        told += [(f"{facts.name}: {image}", why) for facts in fitted for image, why in facts.passed_over.items()]
        told += [(row.image, row.reason) for row in cell.excluded if row.dataset == dataset]
        there = set(cell.rows.loc[cell.rows["dataset"] == dataset, "image"]) if told else set()
        for image, reason in told:
            if image not in there:
                found.setdefault((image, reason), set()).add(cell.attack)
    return [ExcludedImage(*key, tuple(sorted(attacks))) for key, attacks in sorted(found.items())]
