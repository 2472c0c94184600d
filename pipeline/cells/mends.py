"""Faults of the engine that were mended, and the cells that each may have touched: these are run again, and no others.

The words of a fault are part of the keys of these cells. Where a mend may touch any cell, PROTOCOL is raised instead; a
mend that is older than the last raise has no place here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from metric_robustness.pipeline.catalogue.entry import Entry


class Involved(NamedTuple):
    """The entries of a cell: `asked` are the metrics that the attack asks beside the one that it attacks."""

    metric: Entry
    attack: Entry
    asked: list[Entry]


def _draws_in_queries(cell: Involved) -> bool:
    guard = cell.metric.defence if cell.metric.purified else None
    return bool(guard and guard.fields.get("random")) and not cell.attack.fields.get("saved")


def _has_scores_of_distorted_images(cell: Involved) -> bool:
    without_references = any(not entry.full_reference for entry in cell.asked)
    return cell.metric.name == "niqe" or (without_references and cell.metric.full_reference)


def _may_be_spared(cell: Involved) -> bool:
    tried = cell.metric.fields.get("differentiable") and cell.metric.kind != "video" and not cell.metric.purified
    return bool(tried and cell.attack.fields.get("scout"))


MENDS: dict[str, Callable[[Involved], bool]] = {
    "each query through a random defence drew anew, so that searches kept the luckiest": _draws_in_queries,
    "a store gave niqe's scores of distorted images for those of the originals": _has_scores_of_distorted_images,
    "scouts spared it although no gradient had gained anything": _may_be_spared,
}


def mended(cell: Involved) -> list[str]:
    """Returns the faults that rows of a cell may have had before they were mended."""
    return [fault for fault, touched in MENDS.items() if touched(cell)]
