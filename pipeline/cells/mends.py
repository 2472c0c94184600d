"""Faults of the engine that were mended, and the cells that each may have touched: these are run again, and no others.

The words of a fault are part of the keys of these cells. Where a mend may touch any cell, PROTOCOL is raised instead; a
mend that is older than the last raise has no place here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metric_robustness.pipeline.cells.cell import Cell


def _draws_in_queries(cell: Cell) -> bool:
    guard = cell.metric.defence if cell.metric.purified else None
    return bool(guard and guard.fields.get("random")) and not cell.attack.fields.get("saved")


def _has_scores_of_distorted_images(cell: Cell) -> bool:
    asks = any(not entry.fields.get("full_reference", True) for entry in cell.needed())
    return cell.metric.name == "niqe" or (asks and bool(cell.metric.full_reference))


def _may_be_spared(cell: Cell) -> bool:
    return bool(cell.attack.fields.get("scout"))


MENDS: dict[str, Callable[[Cell], bool]] = {
    "each query through a random defence drew anew, so that searches kept the luckiest": _draws_in_queries,
    "a store gave niqe's scores of distorted images for those of the originals": _has_scores_of_distorted_images,
    "scouts spared it although no gradient had gained anything": _may_be_spared,
}


def mended(cell: Cell) -> list[str]:
    """Returns the faults that rows of a cell may have had before they were mended."""
    return [fault for fault, touched in MENDS.items() if touched(cell)]
