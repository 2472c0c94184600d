"""How `show` writes the numbers of leaderboard.json: with margins, as bars, in tables without lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table

from metric_robustness.pipeline.scoring.scores.statistics import Estimate
from metric_robustness.pipeline.scoring.tables.board_file import Facts
from metric_robustness.pipeline.scoring.tables.format import with_margin

BARS = "▁▂▃▄▅▆▇█"
# Headings of columns that stand to the right.
NUMBERS = {
    "rank",
    "worst case",
    "gain",
    "over noise",
    "flicker",
    "worst on",
    "difference",
    "largest fall",
    "largest rise",
    "swing",
}


def sparkline(values: Sequence[float], highest: float) -> str:
    """Returns a bar per value, from 0 to the highest; a dot for nan, and the lowest bar for a value below 0."""
    return "".join(_bar(value, highest) for value in values)


def _bar(value: float, highest: float) -> str:
    if math.isnan(value):
        return "·"
    part = min(max(value / highest, 0), 1) if highest > 0 else 0
    return BARS[round(part * (len(BARS) - 1))]


def new_table(*headings: str) -> Table:
    """Returns a table without rows."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in NUMBERS else "left", overflow="fold")
    return table


def value_of(effect: Facts | None) -> float:
    """Returns the absolute gain, nan where there is none."""
    return estimate_of(effect["absolute_gain"]).value if effect else math.nan


def gain(effect: Facts | None, otherwise: str = "n/a") -> str:
    """Returns the absolute gain with its margin; what is said otherwise where there is none."""
    return margin(effect["absolute_gain"]) if effect else otherwise


def margin(found: Facts | None) -> str:
    """Returns a number with its margin, n/a where there is none."""
    if not found:
        return "n/a"
    estimate = estimate_of(found)
    return with_margin(estimate.value, estimate[1:])


def estimate_of(found: Facts) -> Estimate:
    """Returns a number with its interval, whose null is nan and whose words are infinite."""
    value, low, high = (math.nan if found[name] is None else float(found[name]) for name in ("value", "low", "high"))
    return Estimate(value, low, high)
