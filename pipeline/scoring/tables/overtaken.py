"""Makes overtaken.csv: how often an attacked worse image overtakes a clear better one, by metric and budget.

Of a ladder (`run --dataset ladder:CSV`) the rungs say which encoding of a photograph is better, of rated images
(`iqa:CSV`) people do. Other data sets have no line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from metric_robustness.pipeline.scoring.board.derived import Derived
from metric_robustness.pipeline.scoring.board.records import CONTROL, Record
from metric_robustness.pipeline.scoring.board.standing import LARGEST
from metric_robustness.pipeline.scoring.processes import Processes
from metric_robustness.pipeline.scoring.scores.effects import worst_case
from metric_robustness.pipeline.scoring.scores.overtaken import ANY, Overtaken, Truth, overtaken
from metric_robustness.pipeline.scoring.tables.format import digits

NAMED = 3  # photographs at most that a note names


class Contest(NamedTuple):
    """Which pairs are meant: the first columns of overtaken.csv."""

    dataset: str
    kind: str
    metric: str
    truth: str  # what says which image is better: rung or opinion
    apart: str  # how many rungs, "any" for all pairs
    budget: int  # in 255ths


@dataclass(frozen=True)
class OvertakenLine:
    """One line of overtaken.csv."""

    contest: Contest
    found: Overtaken
    note: str = ""  # which photographs have no pair


COLUMNS = (*Contest._fields, "pairs", "wrong", "ties", "overtaken", "overtaken_low", "overtaken_high", "note")


def overtakings(records: Iterable[Record], processes: Processes | None = None) -> list[OvertakenLine]:
    """Returns how often attacked images overtake better ones, sorted; empty where no data set knows better ones.

    Rows count as they do for the worst case. Images that were sent in count where the suite was not run.

    Args:
        records: The records.
        processes: The processes that resample metrics in parallel where there are many rows.
    """
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        if record.scored and record.scored.knows_better and not record.off_board and record.counts and record.within:
            groups.setdefault((record.dataset, record.kind, record.metric), []).append(record)
    jobs = [(own,) for _, own in sorted(groups.items())]
    lines = Derived(overtakings_of, list[list[OvertakenLine]]).of(jobs, processes or Processes())
    return [line for own in lines for line in own]


def overtakings_of(records: Sequence[Record]) -> list[OvertakenLine]:
    """Returns how often attacked images overtake better ones by one metric on one data set."""
    return list(_lines(records))


def _lines(records: Sequence[Record]) -> Iterator[OvertakenLine]:
    of_metric = records[0].dataset, records[0].kind, records[0].metric
    suite = [record for record in records if not record.sent_in] or records
    pairs = [(record.attack, record.scored.pairs) for record in suite if record.scored]
    budgets = {record.budget for record in suite if record.budget and record.family != CONTROL}
    rungs = any(record.scored.truth.rungs for record in suite if record.scored and record.scored.truth)
    for budget in sorted({budget for budget in budgets if budget and budget < LARGEST} | {LARGEST}):
        worst = worst_case(pairs, budget / 255)
        truth = Truth(_places(suite, worst.index), rungs)
        clips = worst["clip"].tolist()
        found = overtaken(worst["before"].to_numpy(), worst["after"].to_numpy(), truth, clips)
        for apart, each in found.items():
            contest = Contest(*of_metric, "rung" if rungs else "opinion", apart, budget)
            yield OvertakenLine(contest, each, _note(truth, clips, each.pairs) if apart == ANY else "")


def _places(records: Sequence[Record], images: pd.Index[str]) -> np.ndarray:
    """Returns the places of images, (N,), each from the first record that has it."""
    known = [pd.Series(r.scored.truth.places, r.scored.pairs.index) for r in records if r.scored and r.scored.truth]
    places = pd.concat(known).dropna()
    return places[~places.index.duplicated()].reindex(images).to_numpy()


def _note(truth: Truth, clips: Sequence[str], pairs: int) -> str:
    """Returns which images are in no pair, and why; nothing if all are in one."""
    places = pd.Series(truth.places, pd.Index(clips))
    notes = []
    if unknown := list(places[places.isna()].index.unique()):
        notes.append(f"without {'a rung' if truth.rungs else 'an opinion'}: {_named(unknown)}")
    if truth.rungs:
        several = places.dropna().groupby(level=0).nunique()
        if alone := list(several[several < 2].index):
            notes.append(f"of one rung only: {_named(alone)}")
    elif not pairs:
        notes.append("no two images have unlike opinions")
    return "; ".join(notes)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def overtaken_csv(lines: Sequence[OvertakenLine]) -> str:
    """Returns overtaken.csv; shares are of the pairs that the clear scores have in right order."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        found = line.found
        writer.writerow([*line.contest, found.pairs, found.wrong, found.ties, *map(digits, found.share), line.note])
    return text.getvalue()
