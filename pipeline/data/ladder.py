"""A ladder: encodings of the same photographs at several qualities, each with its rung and its photograph."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from metric_robustness.pipeline.data.listing import as_text
from metric_robustness.pipeline.data.numbered import Numbered, csv_named, read_numbered
from metric_robustness.pipeline.data.units import Unit, chosen
from metric_robustness.pipeline.errors import BenchError

PREFIX = "ladder:"  # before the path of the CSV, where a data set is named


class Rung(NamedTuple):
    """The place of an image among the encodings of its photograph."""

    photograph: str
    place: float  # higher is better


def csv_of(name: str) -> Path | None:
    """Returns the CSV that the name of a data set points to; None where it is another kind of name."""
    return csv_named(name, PREFIX)


def read_ladder(path: Path, limit: int | None = None) -> dict[str, Numbered]:
    """Returns the images of a ladder by name, with all encodings of so many photographs.

    Args:
        path: A CSV with the columns `image`, `reference` and `rung`, or `mos`, which then says what is better; see
            `read_numbered`.
        limit: Photographs, always the same; None takes all.

    Raises:
        BenchError: If something is wrong with it, or an image has no reference.
    """
    found = read_numbered(path, PREFIX, ("rung", "mos"))
    photographs: dict[str, dict[str, Path]] = {}
    for name, each in found.items():
        if each.reference is None:
            raise BenchError(f"{path} must name each image's photograph as reference; {name} has none: add the column")
        photographs.setdefault(photograph_of(path, each), {})[name] = each.image
    units = chosen([Unit(*photograph) for photograph in photographs.items()], limit)
    return {name: found[name] for unit in units for name in unit.files}


def rungs_of(path: Path, images: Mapping[str, Numbered]) -> dict[str, Rung]:
    """Returns the rungs of a ladder's images, by the image's name."""
    return {name: Rung(photograph_of(path, each), each.value) for name, each in images.items()}


def photograph_of(path: Path, image: Numbered) -> str:
    """Returns the name of an image's photograph, below the folder of the CSV."""
    original = image.reference or image.image
    return as_text(Path(os.path.relpath(original, path.parent)))
