"""A CSV of images with a number each: people's opinion of it, or its place among the encodings of a photograph."""

from __future__ import annotations

import csv
import math
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from metric_robustness.pipeline.data.listing import VIDEOS, as_text
from metric_robustness.pipeline.errors import BenchError


class Numbered(NamedTuple):
    """What the CSV says of an image."""

    image: Path
    value: float  # higher is better
    reference: Path | None  # the original that the image is a distorted version of


def csv_named(name: str, prefix: str) -> Path | None:
    """Returns the CSV that the name of a data set points to; None where it is another kind of name."""
    return Path(name.removeprefix(prefix)).expanduser() if name.startswith(prefix) else None


def read_numbered(path: Path, prefix: str, numbers: tuple[str, ...]) -> dict[str, Numbered]:
    """Returns what a CSV says of images, by the image's name, in the order of the names.

    Args:
        path: A CSV with the column `image`, one of numbers, and `reference` where there are originals; others are
            ignored. It names images and originals by paths relative to its own folder; images must lie below that.
        prefix: What stands before the path where a data set is named, for messages.
        numbers: The columns that may hold the number; the first that is there does.

    Raises:
        BenchError: If it cannot be read, lacks a column or an image, names one twice or a video, or holds no number.
    """
    found: dict[str, Numbered] = {}
    column, rows = _rows(path, prefix, numbers)
    for number, row in rows:
        place, name = f"{path.name}, row {number}", PurePosixPath(row["image"].strip()).as_posix()
        if name == "." or name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise BenchError(f"{place}: image must be a path below {path.parent}; got {row['image']!r}: correct it")
        if name in found:
            raise BenchError(f"{place}: an image must stand there once; {name} is there twice: keep one of the rows")
        reference = row.get("reference", "").strip()
        value = _number(row[column], column, place)
        each = Numbered(path.parent / name, value, path.parent / reference if reference else None)
        for file in filter(None, (each.image, each.reference)):
            if not file.is_file():
                raise BenchError(f"{place}: {file} is not there: put it there, or take the row out")
            if file.suffix.lower() in VIDEOS:  # its frames would be scored without either
                raise BenchError(
                    f"{place}: {file.name} is a video, and opinions, rungs and originals are of images: "
                    "write its frames as PNG, or take the row out"
                )
        found[as_text(Path(name))] = each
    if not found:
        raise BenchError(f"{path} must hold a row per image; got none: fill it in")
    if len(with_original := {name for name, each in found.items() if each.reference}) not in {0, len(found)}:
        name = next(name for name in found if name not in with_original)
        raise BenchError(f"{path}: every image must have a reference, or none; {name} has none: complete the column")
    return dict(sorted(found.items()))


def _rows(path: Path, prefix: str, numbers: tuple[str, ...]) -> tuple[str, list[tuple[int, dict[str, str]]]]:
    """Returns the column that holds the number, and the rows by column, each with its place in the file."""
    needed = f"the columns image and {' or '.join(numbers)}"
    if not path.is_file():
        raise BenchError(f"{prefix}{path} must be a CSV with {needed}; it is not there")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *lines = list(csv.reader(file, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"{path} cannot be read as CSV: {error}: save it as UTF-8 with commas") from error
    column = next((name for name in numbers if name in header), "")
    if other := next((mark for mark in ";\t" if len(header) == 1 and mark in header[0]), ""):
        raise BenchError(f"{path} must have {needed}; its columns are separated by {other!r}: save it with commas")
    if twice := [name for name in dict.fromkeys(header) if name and header.count(name) > 1]:
        raise BenchError(f"{path} must have each column once; {twice[0]} is there twice: keep one of them")
    if missing := [name for name, there in (("image", "image" in header), (numbers[0], column)) if not there]:
        raise BenchError(
            f"{path} must have {needed}; it lacks {', '.join(missing)} and has {', '.join(header) or 'none'}: "
            "rename them"
        )
    filled = [(number, line) for number, line in enumerate(lines, start=2) if line]
    for number, line in filled:
        if len(line) != len(header):
            raise BenchError(f"{path.name}, row {number}: must have {len(header)} cells; got {len(line)}: correct it")
    return column, [(number, dict(zip(header, line, strict=True))) for number, line in filled]


def _number(text: str, column: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BenchError(f"{place}: {column} must be a number; got {text!r}: correct it, or take the row out")
    return value
