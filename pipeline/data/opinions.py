"""Images that people rated: a CSV of images and their mean opinion scores, with the originals where there are some."""

from __future__ import annotations

from pathlib import Path

from metric_robustness.pipeline.data.numbered import Numbered, csv_named, read_numbered

PREFIX = "iqa:"  # before the path of the CSV, where a data set is named


def csv_of(name: str) -> Path | None:
    """Returns the CSV that the name of a data set points to; None where it is another kind of name."""
    return csv_named(name, PREFIX)


def read_opinions(path: Path) -> dict[str, Numbered]:
    """Returns the opinions of a CSV with the column `mos`, by the image's name; see `read_numbered`.

    Raises:
        BenchError: If something is wrong with it.
    """
    return read_numbered(path, PREFIX, ("mos",))
