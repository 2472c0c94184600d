"""What `python -m pipeline score` prints: the scores of run folders and CSVs, for people and for programs."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
from rich.table import Table
from rich.text import Text

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.scoring.read.cells import StoredCell, read_cells
from metric_robustness.pipeline.scoring.scores.ranges import Ranges, fixed_scale, measured_scale, read_ranges
from metric_robustness.pipeline.scoring.scores.robustness import (
    BRIEF,
    SCORES,
    ScoreScale,
    Values,
    robustness,
    subset_scale,
)
from metric_robustness.pipeline.scoring.scores.statistics import bootstrap, intervals
from metric_robustness.pipeline.scoring.scores.target import Target, direction_of
from metric_robustness.pipeline.scoring.tables.format import plain, with_margin

Scaling = Literal["fixed", "subset"]

SUMMARY = ("clear_min", "clear_max", "clear_mean", "attacked_mean")


@dataclass(frozen=True)
class ScoredRows:
    """The rows of a metric under an attack on a data set, and the scale to score them on."""

    metric: str
    key: str  # "attack|dataset"
    rows: pd.DataFrame
    scale: ScoreScale | None  # None if there is none; a note says why, and every score is nan

    def numbers(self) -> dict[str, int | float | str | None]:
        """Returns what `score --json` prints: the number of rows, a summary, and scores in the published order."""
        clear, attacked = self.rows["clear"], self.rows["attacked"]
        scores = robustness(*self._scaled()) if self.scale else dict.fromkeys(SCORES, math.nan)
        values = dict(zip(SUMMARY, (clear.min(), clear.max(), clear.mean(), attacked.mean()), strict=True))
        values |= {name: scores[name] for name in sorted(SCORES, key=lambda name: SCORES[name].place)}
        return {"n": len(self.rows)} | {name: plain(round(float(value), 9)) for name, value in values.items()}

    def with_margins(self) -> dict[str, str]:
        """Returns every score with its margin, for people; n/a without a scale."""
        if self.scale is None:
            return dict.fromkeys(SCORES, "n/a")
        spread = intervals(bootstrap(*self._scaled(), self.rows["clip"]))
        return {name: with_margin(value, spread[name]) for name, value in robustness(*self._scaled()).items()}

    def _scaled(self) -> tuple[Values, Values]:
        if self.scale is None:
            raise DataError(f"{self.key} must have a scale; got none: score it with --scaling fixed")
        return self.scale(self.rows["clear"].to_numpy()), self.scale(self.rows["attacked"].to_numpy())


@dataclass(frozen=True)
class ScoreReport:
    """Scores, and what a reader must know about them."""

    scored: list[ScoredRows]
    notes: list[str]  # one line each: duplicates, label variants, cells that could not be scored

    def to_json(self) -> str:
        """Returns {"attack|dataset": {...}}; of several metrics {"metric": {"attack|dataset": {...}}}."""
        nested: dict[str, dict[str, dict[str, int | float | str | None]]] = {}
        for item in self.scored:
            nested.setdefault(item.metric, {})[item.key] = item.numbers()
        return json.dumps(next(iter(nested.values())) if len(nested) == 1 else nested, indent=1, allow_nan=False)

    def table(self) -> Table:
        """Returns a table for the terminal, with the few scores that fit 80 columns."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("metric", "attack", "data set"):
            table.add_column(name, overflow="fold")
        for name in ("n", *BRIEF):
            table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
        for item in self.scored:
            scores = item.with_margins()
            place = (Text(text) for text in (item.metric, *item.key.split("|")))
            table.add_row(*place, str(len(item.rows)), *(scores[name] for name in BRIEF))
        return table


def score_paths(
    paths: Iterable[Path],
    scaling: Scaling | None = None,
    *,
    parity: bool = False,
    lower_is_better: bool = False,
    scale_to: str = "",
    ranges: Path | None = None,
) -> ScoreReport:
    """Scores every attack on every data set; rows of different attacks are never pooled.

    A file with several data sets also gets the key "attack|all". Keys of universal patterns carry the training set and
    the amplitude, "attack_TRAIN_amp0.2|dataset", and variants their name, "attack:VARIANT|dataset".

    Args:
        paths: Run folders, folders of CSVs, or CSVs, of ours or published.
        scaling: "fixed" by the metric's range, "subset" by the smallest and largest clear score of exactly the scored
            rows. None is fixed where a range is known; where not, subset, with a note.
        parity: Keep duplicate rows, as the original benchmark does.
        lower_is_better: The direction of metrics whose rows come without a stamp.
        scale_to: A metric with rows in `paths`, to whose scores those of all others are mapped before they are scored,
            by `Transport` on the clear images that both have.
        ranges: The file of measured ranges; by default results/ranges.csv.

    Raises:
        BenchError: If a path holds no cell, nothing can be scored, or the range that fixed scaling needs is unknown.
    """
    cells = read_cells(paths, parity=parity)
    known = read_ranges(ranges)
    notes = [f"{_where(cell)}: {note}" for cell in cells for note in (*cell.notes, *_exclusions(cell))]
    notes += [f"{_where(cell)}: {cell.status}: {cell.reason}" for cell in cells if cell.status != "done"]
    scored: list[ScoredRows] = []
    target = Target.of(cells, scale_to, lower_is_better=lower_is_better) if scale_to else None
    for done in _same_attack(cells):
        direction = direction_of(done[0], lower_is_better=lower_is_better)
        rows = pd.concat([cell.rows for cell in done], ignore_index=True)
        if target:
            rows, excluded = target.mapped(rows, done[0].metric, higher_is_better=direction)
            notes += [f"{_where(done[0])}|{note}" for note in excluded]
            direction = target.higher_is_better
            if rows.empty:
                continue
        scale = _fixed(target.cell if target else done[0], scaling, known, notes, higher_is_better=direction)
        for key, group in _groups(done[0].attack, rows):
            own = scale or _subset(key, group, notes, higher_is_better=direction)
            scored.append(ScoredRows(done[0].metric, key, group, own))
    if not scored:
        raise BenchError(f"there must be rows to score; got none: {'; '.join(notes) or 'the files are empty'}")
    return ScoreReport(scored, notes)


def _same_attack(cells: list[StoredCell]) -> Iterator[list[StoredCell]]:
    """Yields the usable cells of each metric and attack."""
    usable = [cell for cell in cells if cell.status == "done" and len(cell.rows)]
    for _, group in itertools.groupby(usable, key=lambda cell: (cell.metric, cell.attack)):
        yield list(group)


def _exclusions(cell: StoredCell) -> Iterator[str]:
    """Yields a line that says which rows are not used, if any."""
    if cell.excluded:
        named = ", ".join(f"{row.image} ({row.reason})" for row in cell.excluded[:3])
        more = ", …" if len(cell.excluded) > 3 else ""
        yield f"{len(cell.excluded)} of {len(cell.rows) + len(cell.excluded)} rows excluded: {named}{more}"


def _fixed(
    cell: StoredCell, scaling: Scaling | None, ranges: Ranges, notes: list[str], *, higher_is_better: bool
) -> ScoreScale | None:
    """Returns the fixed scale, or None for subset scaling."""
    if scaling == "subset":
        return None
    if cell.stamp:
        return fixed_scale(cell.stamp, ranges)
    scale = measured_scale(cell.metric, ranges, higher_is_better=higher_is_better)
    entry = lookup.entries("metrics").get(cell.metric) if scale is None and scaling == "fixed" else None
    if entry and not entry.problem:
        better = higher_is_better and bool(entry.fields["higher_is_better"])
        low, high = entry.fields["score_range"]
        scale = ScoreScale(low, high, better, "declared")
        word = "higher" if better else "lower"
        notes.append(f"{_where(cell)}: scaled by the declared range, {low:g} to {high:g}, {word} is better")
    if scale is None and scaling == "fixed":
        raise BenchError(
            f"the range of {cell.metric} must be known for fixed scaling; {cell.path.name} has no stamp, and no "
            "metric has this name: add --scaling subset"
        )
    if scale is None:
        notes.append(f"{_where(cell)}: no range is known, so it is scored with --scaling subset")
    return scale


def _groups(attack: str, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yields "attack|dataset" and its rows, "attack|all" first where there are several data sets."""
    names = attack + rows["variant"].map(lambda variant: f":{variant}" if variant else "")
    names += rows["train_dataset"].map(lambda train_dataset: f"_{train_dataset}" if train_dataset else "")
    names += rows["amplitude"].map(lambda amplitude: "" if math.isnan(amplitude) else f"_amp{amplitude:g}")
    for name, group in rows.groupby(names):
        datasets = sorted(group["dataset"].unique())
        if len(datasets) > 1:
            yield f"{name}|all", group
        for dataset in datasets:
            yield f"{name}|{dataset}", group[group["dataset"] == dataset]


def _subset(key: str, rows: pd.DataFrame, notes: list[str], *, higher_is_better: bool) -> ScoreScale | None:
    """Returns the scale of these rows, or None and a note where there is none."""
    try:
        return subset_scale(rows["clear"].to_numpy(), higher_is_better=higher_is_better)
    except DataError as error:
        notes.append(f"{key}: {error}")
        return None


def _where(cell: StoredCell) -> str:
    return f"{cell.metric}/{cell.attack}" if cell.stamp else cell.path.name
