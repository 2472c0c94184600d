"""The leaderboard in other orders: within a smaller budget, and by how far attacks lower the scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.tables.board_file import Facts, about
from metric_robustness.pipeline.scoring.tables.show_numbers import gain, margin, new_table, sparkline, value_of


def within(sections: Sequence[Facts], budget: int) -> list[Facts]:
    """Returns the sections by the worst case within a budget; of the largest budget, the leaderboard itself.

    Args:
        sections: Those of the leaderboard.
        budget: In 255ths.

    Raises:
        BenchError: If no section has such a budget.
    """
    known = sorted({each for section in sections for each in section["budgets"]})
    if not known:
        raise BenchError(
            "for --budget the tables must have smaller budgets; got none: run a preset that has some, such as demo"
        )
    if budget not in known:
        raise BenchError(
            f"--budget must be one that was run, in 255ths; got {budget}: there are {', '.join(map(str, known))}"
        )
    if budget == known[-1]:
        return list(sections)
    return [_within(section, budget) for section in sections if budget in section["budgets"]]


def _within(section: Facts, budget: int) -> Facts:
    lines = []
    for metric in section["metrics"]:
        curve = metric["curve"] or {"ranks": {}, "worst_cases": {}}
        rank, worst_case = curve["ranks"].get(str(budget)), curve["worst_cases"].get(str(budget))
        lines.append({**_named(metric), "rank": rank, "worst_case": worst_case, "curve": metric["curve"]})
    return {**about(section), "budget": budget, "within": sorted(lines, key=lambda line: _place(line, "worst_case"))}


def by_fall(sections: Sequence[Facts]) -> list[Facts]:
    """Returns the sections by the largest fall, the smallest first.

    Raises:
        BenchError: If no attack was to lower a score.
    """
    found = [_by_fall(section) for section in sections if any(metric["fall"] for metric in section["metrics"])]
    if not found:
        raise BenchError(
            "for --worse the tables must have attacks that lower scores; got none: run their variant worse, as nightly "
            "does"
        )
    return found


def _by_fall(section: Facts) -> Facts:
    lines = [
        {
            **_named(metric),
            "rank": metric["fall_rank"],
            "fall": metric["fall"],
            "rise": metric["worst_case"],
            "swing": metric["swing"],
        }
        for metric in section["metrics"]
    ]
    return {**about(section), "falls": sorted(lines, key=lambda line: _place(line, "fall"))}


def _named(metric: Facts) -> Facts:
    return {name: metric[name] for name in ("metric", "title")}


def _place(line: Facts, effect: str) -> tuple[float, bool, float, str]:
    """Returns where a metric stands: those without a rank are last, and last of them those that have no such effect."""
    move = abs(value_of(line[effect]))
    return line["rank"] or math.inf, math.isnan(move), move, line["metric"]


def within_table(part: Facts) -> Table:
    """Returns the table of what `within` returns."""
    largest = str(part["budgets"][-1])
    cases = [line["curve"]["worst_cases"] if line["curve"] else {} for line in part["within"]]
    highest = max((value_of(effect) for case in cases for effect in case.values()), default=0)
    headings = (f"within {part['budget']}/255", f"0 to {largest}/255", f"within {largest}/255", "rank there")
    table = new_table("rank", "metric", *headings)
    for line, case in zip(part["within"], cases, strict=True):
        table.add_row(
            str(line["rank"] or "n/a"),
            Text(line["metric"]),
            Text(gain(line["worst_case"]), style="bold"),
            sparkline([0, *map(value_of, case.values())] if case else [], highest),
            gain(case.get(largest)),
            str(line["curve"]["ranks"].get(largest, "n/a")) if line["curve"] else "n/a",
        )
    return table


def fall_table(part: Facts) -> Table:
    """Returns the table of what `by_fall` returns."""
    deepest = max((-value_of(line["fall"]) for line in part["falls"] if line["fall"]), default=0)
    table = new_table("rank", "metric", "largest fall", "", "largest rise", "swing")
    for line in part["falls"]:
        table.add_row(
            str(line["rank"] or "n/a"),
            Text(line["metric"]),
            Text(gain(line["fall"]), style="bold"),
            sparkline([-value_of(line["fall"])], deepest),
            gain(line["rise"]),
            margin(line["swing"]),
        )
    return table
