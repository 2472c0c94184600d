"""The note on a merge request: its entries, their contract checks, and where its metrics would stand."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from metric_robustness.pipeline.ci.changes import Change
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.scoring.board.leaderboard import Leaderboard, Section
from metric_robustness.pipeline.scoring.board.standing import Standing
from metric_robustness.pipeline.scoring.tables.format import with_margin
from metric_robustness.pipeline.scoring.tables.markdown_text import plain, table

NEIGHBOURS = 2  # rows of the leaderboard on either side of a new one


class CheckSummary(NamedTuple):
    """How many promises of the contract an entry keeps, and which it breaks."""

    name: str
    passed: int
    failures: list[str]  # "promise: what was seen"


class Known(NamedTuple):
    """A row of the published leaderboard."""

    kind: str
    gradients: bool  # whether the metric has them
    metric: str
    gain: float


def read_checks(path: Path) -> list[CheckSummary]:
    """Returns what `check --json` printed, a line per entry; nothing if there is no such file.

    Raises:
        DataError: If a line was not printed by `check --json`.
    """
    if not path.is_file():
        return []
    checks = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            printed = json.loads(line)
            checked = printed["checks"]
            failures = [f"{each['promise']}: {each['seen']}" for each in checked if each["status"] == "failed"]
            passed = sum(each["status"] == "passed" for each in checked)
            checks.append(CheckSummary(printed["name"], passed, failures))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} must hold what check --json prints; got {line[:80]!r}: run check again") from error
    return checks


def to_markdown(
    changes: Sequence[Change], checks: Sequence[CheckSummary], board: Leaderboard | None, known: Path
) -> str:
    """Returns the note of a merge request.

    Args:
        changes: The entries that it touches.
        checks: How they did in the contract check.
        board: The leaderboard of its smoke cells; None if there were none.
        known: The published leaderboard.csv, whose rows are the neighbours.
    """
    parts = ["## Robustness benchmark"]
    if not changes:
        return "\n\n".join([*parts, "No metric, attack or defence changes its numbers in this merge request."]) + "\n"
    results = {check.name: check for check in checks}
    parts.append(
        table(["entry", "is", "contract"], [_entry(change, results.get(change.entry.name)) for change in changes])
    )
    failures = [f"- {plain(check.name)}: {plain(failure)}" for check in checks for failure in check.failures]
    if failures:
        parts += ["To change before it can be merged:", "\n".join(failures)]
    for section in board.sections if board else []:
        parts += _section(section, {change.entry.name for change in changes}, _read_known(known))
    gaps = board.gaps_by_reason if board else []
    if gaps:
        parts.append("Without rows:")
        parts.append("\n".join(f"- {plain(gap.metric)} {plain(gap.attack)}: {plain(gap.reason)}" for gap in gaps))
    return "\n\n".join(parts) + "\n"


def _entry(change: Change, check: CheckSummary | None) -> list[str]:
    entry = change.entry
    if not change.stays:
        result = "its rows leave the tables"
    elif entry.problem:
        result = entry.problem
    elif check is None:
        result = "not checked: see the job's log"
    else:
        result = f"{len(check.failures)} failed" if check.failures else f"{check.passed} passed"
    return [f"{entry.folder.removesuffix('s')} {entry.name}", change.how, result]


def _section(section: Section, changed: set[str], known: list[Known]) -> list[str]:
    """Returns a heading and a table: the rows of a section among their neighbours on the leaderboard."""
    new = [standing for standing in section.standings if standing.metric in changed] or section.standings
    rows: list[tuple[float, list[str]]] = []
    for standing in new:
        rows.append(
            (standing.gain, [f"**{standing.metric}**", f"**{_gain(standing)}**", _by(standing), "this merge request"])
        )
    group, own = (section.kind, section.gradients), {standing.metric for standing in new}
    others = sorted(
        (row for row in known if (row.kind, row.gradients) == group and row.metric not in own),
        key=lambda row: row.gain,
    )
    near: set[int] = set()
    for gain, _ in rows:
        above = sum(row.gain <= gain for row in others)
        near |= set(range(max(0, above - NEIGHBOURS), min(len(others), above + NEIGHBOURS)))
    rows += [(others[i].gain, [others[i].metric, f"{others[i].gain:.3f}", "", "leaderboard"]) for i in sorted(near)]
    rows.sort(key=lambda row: row[0])
    images = f"{section.images} image{'' if section.images == 1 else 's'}"
    heading = (
        f"{section.kind} metrics, worst-case absolute gain, smallest first. The rows of this merge request are of "
        f"{images} of {section.dataset}; those of the leaderboard of its own data set: a first look, no ranking."
    )
    return [heading, table(["metric", "worst case", "worst on most images", "from"], [row for _, row in rows])]


def _gain(standing: Standing) -> str:
    if standing.effects.worst is None:
        return "n/a"
    return with_margin(
        standing.effects.worst.scores["absolute_gain"], standing.effects.worst.intervals["absolute_gain"]
    )


def _by(standing: Standing) -> str:
    return max(standing.effects.worst_on, key=lambda name: standing.effects.worst_on[name], default="")


def _read_known(path: Path) -> list[Known]:
    """Returns the ranked rows of the published leaderboard; none where there is no file yet."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    try:
        return [
            Known(line["kind"], line.get("gradients") != "no", line["metric"], float(line["worst_case_absolute_gain"]))
            for line in lines
            if line["rank"] and line["worst_case_absolute_gain"]
        ]
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{path} must be a leaderboard.csv of ours; it is not ({error}): restore it with git"
        ) from error
