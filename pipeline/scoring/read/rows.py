"""Reads the rows of one CSV, a cell's or a published one, and says what is wrong with it."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow
from numpy.typing import NDArray

from metric_robustness.pipeline.cells.row import COLUMNS, DECLARED

RECENT = tuple(name for name, column in DECLARED.items() if column.recent or column.rare)
REQUIRED = tuple(name for name, column in DECLARED.items() if column.required)
TEXT = tuple(name for name, column in DECLARED.items() if column.is_text)
NUMBERS = tuple(name for name, column in DECLARED.items() if not column.is_text)
IDENTITY = ["dataset", "variant", "train_dataset", "amplitude", "defence", "image"]  # no two rows agree in all of them

LARGEST = float(np.finfo(np.float32).max)

PUBLISHED = {"image_name": "image", "test_dataset": "dataset"}
ALIASES = {"NIPS2017": "NIPS"}  # the authors' two labels for one data set
# In published rows, the end of an image's name that says which frame of its triplet or video it is.
FRAME = re.compile(r"(_im\d+\.\w+|(?<=\.y4m)-\d+)$")


class RowsError(Exception):
    """A CSV of which no row can be trusted; the message says why."""


class ExcludedRow(NamedTuple):
    """A row that is not used, with the reason."""

    dataset: str
    variant: str
    image: str
    reason: str


@cache
def no_rows() -> pd.DataFrame:
    """Returns an empty table with the columns of rows; every call returns the same table, so never change it."""
    return pd.DataFrame({column: pd.Series(dtype=float if column in NUMBERS else str) for column in COLUMNS})


@dataclass(frozen=True)
class Rows:
    """The usable rows of a CSV, sorted, and what was excluded from it.

    Rows of defended metrics are kept apart from the others, among which their images would count twice.
    """

    table: pd.DataFrame  # the columns of pipeline.cells.row; text is never missing, numbers may be nan
    excluded: tuple[ExcludedRow, ...] = ()
    notes: tuple[str, ...] = ()  # one line each: which data sets were renamed, how many rows dropped
    defended: pd.DataFrame = field(default_factory=no_rows)  # rows of defended metrics


def read_rows(path: Path, *, parity: bool = False) -> Rows:
    """Returns the rows of a CSV.

    Args:
        path: A CSV with the columns of `cells.row.Row`, or with those of the published rows: `image_name, test_dataset,
            clear, attacked` and, of universal patterns, `train_dataset, amplitude`.
        parity: Keep rows that occur more than once, as the original benchmark does.

    Raises:
        RowsError: If the file cannot be read, lacks a column, or holds something else than a number where one must be.
    """
    notes: list[str] = []
    try:
        ours = _ours(path)
        if (plain := _in_order(ours)) is not None:
            return Rows(_frame(plain))
        table = _frame(ours)
    except (pa.ArrowException, OSError):
        table = _typed(_named(_text(path), notes))  # slower; names the row where something is wrong
    table, broken = _without_broken(table)
    table, contradictory, repeated = _without_repeats(table, parity=parity)
    table = table.sort_values(IDENTITY, kind="stable", ignore_index=True)
    is_defended = table["defence"] != ""
    if is_defended.any():
        notes.append(f"{int(is_defended.sum())} rows of defended metrics excluded")
    excluded, own = tuple(sorted(broken + contradictory)), table[~is_defended].reset_index(drop=True)
    return Rows(own, excluded, (*notes, *repeated), table[is_defended].reset_index(drop=True))


def _ours(path: Path) -> pa.Table:
    """Returns the rows of a file that is as `metric_robustness.pipeline.cells.row` writes it.

    Raises:
        ArrowException: If it has other columns, or holds text where a number must be.
    """
    read = arrow.read_csv(
        pa.BufferReader(path.read_bytes()),  # not by its path, which need not be UTF-8
        read_options=arrow.ReadOptions(use_threads=False),
        convert_options=arrow.ConvertOptions(
            column_types={name: pa.large_string() if name in TEXT else pa.float64() for name in COLUMNS},
            null_values=["", "nan"],
            strings_can_be_null=False,
        ),
    )
    there = set(read.column_names)
    if tuple(read.column_names) != tuple(column for column in COLUMNS if column in there or column not in RECENT):
        raise pa.ArrowInvalid("other columns")
    for name in RECENT:
        if name not in there:
            read = read.append_column(name, pa.nulls(len(read), pa.float64()))
    return read.select(list(COLUMNS))


def _in_order(table: pa.Table) -> pa.Table | None:
    """Returns the rows sorted by `IDENTITY`; None if a score is not finite, or a row is repeated or defended.

    Such rows are left to pandas, which takes five times as long; most cells have none.
    """
    finite = all(_can_be_scores(_numbers(table[name])).all() for name in ("clear", "attacked"))
    if not finite or pc.any(pc.not_equal(table["defence"], "")).as_py():
        return None
    *same, image = (table[name].combine_chunks() for name in IDENTITY)
    if all(_is_constant(values) for values in same) and pc.all(pc.less(image[:-1], image[1:])).as_py():
        return table  # as most cells are written
    codes = [_codes(table[name]) for name in IDENTITY]
    order = np.lexsort(codes[::-1])
    if (np.diff([code[order] for code in codes]) == 0).all(axis=0).any():
        return None
    return table if (np.diff(order) == 1).all() else table.take(order)


def _can_be_scores(values: NDArray[np.float64] | pd.Series) -> NDArray[np.bool_]:
    """Tells which numbers can be scores, which are finite and of 32 bits."""
    return np.abs(np.asarray(values, np.float64)) <= LARGEST


def _is_constant(values: pa.Array) -> bool:
    """Tells whether all values are the same, or all are missing."""
    return values.null_count == len(values) or bool(pc.all(pc.equal(values, values[0]), skip_nulls=False).as_py())


def _codes(column: pa.ChunkedArray) -> NDArray[np.intp]:
    """Returns an integer per value, (N,), in the order of the values: equal ones share it, and nan has the highest."""
    if pa.types.is_floating(column.type):
        return np.unique(_numbers(column), return_inverse=True)[1]
    found = column.combine_chunks().dictionary_encode()
    ranks = np.empty(len(found.dictionary), np.intp)
    ranks[pc.sort_indices(found.dictionary).to_numpy()] = np.arange(ranks.size)
    codes: NDArray[np.intp] = ranks[found.indices.to_numpy()]
    return codes


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Returns a column of numbers; nan for those that are missing."""
    numbers: NDArray[np.float64] = column.to_numpy()
    return numbers


def _frame(ours: pa.Table) -> pd.DataFrame:
    place = COLUMNS.index("clip")
    without = pc.equal(ours["clip"], "")
    if pc.any(without).as_py():
        ours = ours.set_column(place, "clip", pc.if_else(without, ours["image"], ours["clip"]))
    table: pd.DataFrame = ours.to_pandas(use_threads=False)
    return table


def _named(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Returns a table with our names of columns and data sets, and adds a note for each data set that was renamed.

    Raises:
        RowsError: If a column is missing.
    """
    if set(PUBLISHED) <= set(table):
        table = table.rename(columns=PUBLISHED)
        table["clip"] = table["image"].str.replace(FRAME, "", regex=True)
        for label, name in ALIASES.items():
            if (table["dataset"] == label).any():
                notes.append(f"data set {label} is read as {name}")
        table["dataset"] = table["dataset"].replace(ALIASES)
    missing = [column for column in REQUIRED if column not in table]
    if missing:
        raise RowsError(f"the columns must include {', '.join(missing)}; got {', '.join(map(str, table))}")
    return table


def _text(path: Path) -> pd.DataFrame:
    """Returns the file's values as text; not read by pandas, which would fill up lines that are cut short.

    Raises:
        RowsError: If the file is no CSV, or a line is longer or shorter than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *lines = csv.reader(file, strict=True)
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise RowsError(f"it cannot be read as CSV: {error}") from error
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise RowsError(f"row {number} must have {len(header)} cells; got {len(line)}")
    return pd.DataFrame(lines, columns=header, dtype=str)


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Returns all columns of `pipeline.cells.row`, text as text and numbers as numbers; other columns are dropped.

    Raises:
        RowsError: If a column of numbers holds something else.
    """
    typed = pd.DataFrame(index=table.index)
    for column in COLUMNS:
        if column in TEXT:
            typed[column] = table[column].astype(str) if column in table else ""
            continue
        values = table[column].str.strip() if column in table else pd.Series("", index=table.index, dtype=str)
        numbers = pd.to_numeric(values.mask(values == ""), errors="coerce").astype(np.float64)
        wrong = numbers.isna() & ~values.str.lower().isin(["", "nan", "-nan", "+nan"])
        if wrong.any():
            line = int(np.argmax(wrong))
            raise RowsError(f"{column} must be a number; got {values.iloc[line]!r} in row {line + 2}")
        typed[column] = numbers
    typed["clip"] = typed["clip"].mask(typed["clip"] == "", typed["image"])
    return typed


def _without_broken(table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[ExcludedRow, ...]]:
    """Returns the rows with finite scores, and the others as excluded rows with their reasons."""
    finite = _can_be_scores(table["clear"]) & _can_be_scores(table["attacked"])
    excluded = []
    for row in table[~finite].to_dict("records"):
        column = "attacked" if abs(row["clear"]) <= LARGEST else "clear"
        excluded.append(ExcludedRow(row["dataset"], row["variant"], row["image"], f"{column} is {row[column]:g}"))
    return table[finite], tuple(sorted(excluded))


def _without_repeats(
    table: pd.DataFrame, *, parity: bool
) -> tuple[pd.DataFrame, tuple[ExcludedRow, ...], tuple[str, ...]]:
    """Returns every row once, the images whose rows contradict each other, and a note of how many rows were dropped.

    Of rows that contradict each other none is kept. Parity keeps all rows, as the original benchmark does.
    """
    repeated = table.duplicated(IDENTITY)
    count = int(repeated.sum())
    if not count:
        return table, (), ()
    if parity:
        return table, (), (f"{count} duplicate rows kept",)
    once = table[~table.duplicated([*IDENTITY, "clear", "attacked"])]
    disagreeing = once.duplicated(IDENTITY, keep=False)
    reason = "its rows contradict each other"
    places = once.loc[disagreeing, ["dataset", "variant", "image"]].drop_duplicates()
    excluded = tuple(ExcludedRow(dataset, variant, image, reason) for dataset, variant, image in places.to_numpy())
    consistent = once[~disagreeing]
    return consistent, excluded, (f"{len(table) - len(consistent)} duplicate rows excluded",)
