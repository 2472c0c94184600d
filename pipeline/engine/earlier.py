"""A cell whose data sets have more images than its finished rows: these stay, and rows of the new images are added."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from metric_robustness.pipeline.cells.cell import Cell, is_targeted
from metric_robustness.pipeline.cells.proof import proof_of
from metric_robustness.pipeline.cells.row import CLIP_MEAN, COLUMNS, RARE
from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.data.dataset import Dataset

# (data set, digest that it had) -> its photographs and frames at that time, which all are among those of today.
Parts: TypeAlias = Mapping[tuple[str, str], frozenset[str]]


@dataclass(frozen=True)
class Earlier:
    """The finished rows of a cell, on a part of its images.

    Attributes:
        stamp: Theirs.
        rows: As text, by column, without the means over clips.
        photos: By data set, the names of the photographs and frames that they are about.
    """

    stamp: Stamp
    rows: list[dict[str, str]]
    photos: Mapping[str, frozenset[str]]

    def new_in(self, dataset: Dataset) -> Dataset:
        """Returns the images of a data set that the rows are not about."""
        return dataset.part(photo.name for photo in dataset.photos if photo.name not in self.photos[dataset.name])

    def rows_of(self, dataset: Dataset, variants: Iterable[str]) -> list[dict[str, str]]:
        """Returns the rows of a pass, which has these variants."""
        known = set(variants)
        return [row for row in self.rows if row["dataset"] == dataset.name and row["variant"] in known]

    def excluded(self, dataset: str) -> dict[str, str]:
        """Returns the images that gave no row although their headers were good, each with the reason."""
        (facts,) = (facts for facts in self.stamp.datasets if facts.name == dataset)
        return {image: why for image, why in facts.excluded.items() if image in self.photos[dataset]}


def parts_of(datasets: Iterable[Dataset], there: Mapping[Path, Stamp]) -> Parts:
    """Returns which data sets of finished rows are a part of a data set of today, proved by their digests."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    today = {dataset.name: dataset for dataset in datasets}
    for path, stamp in there.items():
        for facts in stamp.datasets:
            dataset = today.get(facts.name)
            if dataset is None or dataset.digest == facts.digest or (facts.name, facts.digest) in found:
                continue
            named = {row["image"] for row in _rows(path) or [] if row["dataset"] == facts.name} | facts.excluded.keys()
            part = dataset.part(
                photo.name for photo in dataset.photos if photo.name in named or (photo.clip and photo.clip in named)
            )
            if part.digest == facts.digest:
                found[facts.name, facts.digest] = frozenset(photo.name for photo in part.photos)
    return found


def earlier_of(cell: Cell, datasets: Iterable[Dataset], parts: Parts, out: Path) -> Earlier | None:
    """Returns the finished rows that a cell can go on from; None unless its images alone are more than theirs."""
    stamp, flaw = proof_of(cell.csv(out))
    if is_targeted(cell.attack):  # more images give each another target, so that no row stays as it is
        return None
    if stamp is None or flaw or stamp.status != "done":
        return None
    digests = {facts.name: facts.digest for facts in stamp.datasets}
    if digests == dict(cell.datasets) or replace(cell, datasets=digests).key != stamp.key:
        return None
    same = {(each.name, each.digest): frozenset(photo.name for photo in each.photos) for each in datasets}
    photos = {name: (same | dict(parts)).get((name, digest)) for name, digest in digests.items()}
    rows = _rows(cell.csv(out))
    if rows is None or photos.keys() != cell.datasets.keys() or None in photos.values():
        return None
    return Earlier(stamp, rows, {name: each for name, each in photos.items() if each is not None})


def _rows(path: Path) -> list[dict[str, str]] | None:
    """Returns the rows of a CSV but for means over clips; None if it has other columns than rows have now."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        there = tuple(reader.fieldnames or ())
        absent = [name for name in RARE if name not in there]
        if there != tuple(name for name in COLUMNS if name not in absent):
            return None
        return [row | dict.fromkeys(absent, "") for row in reader if not row["variant"].endswith(CLIP_MEAN)]
