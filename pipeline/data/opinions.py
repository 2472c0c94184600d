"""Images that people rated: a CSV of images and their mean opinion scores, with the originals where there are some."""

from __future__ import annotations

import csv
import math
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from metric_robustness.pipeline.data.listing import as_text
from metric_robustness.pipeline.errors import BenchError

PREFIX = "iqa:"  # before the path of the CSV, where a data set is named
NEEDED = ("image", "mos")


class Opinion(NamedTuple):
    """What the CSV says of an image."""

    image: Path
    mos: float  # higher is better, in the unit of the study
    reference: Path | None  # the original that the image is a distorted version of


def csv_of(name: str) -> Path | None:
    """Returns the CSV that the name of a data set points to; None where it is another kind of name."""
    return Path(name.removeprefix(PREFIX)).expanduser() if name.startswith(PREFIX) else None


def read_opinions(path: Path) -> dict[str, Opinion]:
    """Returns the opinions of a CSV by the image's name, in the order of the names.

    Args:
        path: A CSV with the columns `image` and `mos`, and `reference` where there are originals; others are ignored.
            It names images and originals by paths relative to its own folder; images must lie below that folder.

    Raises:
        BenchError: If it cannot be read, lacks a column or an image, names one twice, or holds no number as `mos`.
    """
    found: dict[str, Opinion] = {}
    for number, row in enumerate(_rows(path), start=2):
        place, name = f"{path.name}, row {number}", PurePosixPath(row["image"].strip()).as_posix()
        if name == "." or name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise BenchError(f"{place}: image must be a path below {path.parent}; got {row['image']!r}: correct it")
        if name in found:
            raise BenchError(f"{place}: an image must be rated once; {name} is there twice: keep one of the rows")
        reference = row.get("reference", "").strip()
        opinion = Opinion(path.parent / name, _mos(row["mos"], place), path.parent / reference if reference else None)
        for file in filter(None, (opinion.image, opinion.reference)):
            if not file.is_file():
                raise BenchError(f"{place}: {file} is not there: put it there, or take the row out")
        found[as_text(Path(name))] = opinion
    if not found:
        raise BenchError(f"{path} must hold a row per image; got none: fill it in")
    if len(with_original := {name for name, opinion in found.items() if opinion.reference}) not in {0, len(found)}:
        name = next(name for name in found if name not in with_original)
        raise BenchError(f"{path}: every image must have a reference, or none; {name} has none: complete the column")
    return dict(sorted(found.items()))


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise BenchError(f"{PREFIX}{path} must be a CSV with the columns {' and '.join(NEEDED)}; it is not there")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *lines = list(csv.reader(file, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"{path} cannot be read as CSV: {error}: save it as UTF-8 with commas") from error
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise BenchError(
            f"{path} must have the columns {' and '.join(NEEDED)}; it lacks {', '.join(missing)} and has "
            f"{', '.join(header) or 'none'}: rename them"
        )
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise BenchError(f"{path.name}, row {number}: must have {len(header)} cells; got {len(line)}: correct it")
    return [dict(zip(header, line, strict=True)) for line in lines]


def _mos(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BenchError(f"{place}: mos must be a number; got {text!r}: correct it, or take the row out")
    return value
