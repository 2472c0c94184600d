"""How numbers are written: for people with a margin, for programs with 6 significant digits."""

from __future__ import annotations

import math

from metric_robustness.pipeline.scoring.scores.statistics import Estimate, Interval


def with_margin(value: float, interval: Interval) -> str:
    """Returns "value ±margin", the margin being half the 95 % interval; "value" if that is unknown."""
    if math.isnan(value):
        return "n/a"
    low, high = interval
    text = f"{round(value, 3) + 0.0:.3f}"  # + 0.0 turns "-0.000" into "0.000"
    return text if math.isnan(low) else f"{text} ±{(high - low) / 2:.3f}"


def budget_with_ends(smallest: Estimate, largest: int) -> str:
    """Returns a smallest budget in 255ths with its interval, "3.2 (2.9 to 4.1)"; "> 10" where none suffices."""
    beyond = f"> {largest}"
    value, low, high = ("n/a" if math.isnan(end) else beyond if math.isinf(end) else f"{end:.1f}" for end in smallest)
    return value if low == high else f"{value} ({low} to {high})"


def digits(value: float) -> str:
    """Returns 6 significant digits, with at most 12 decimals, since further ones are rounding noise; "" for nan."""
    return "" if math.isnan(value) else f"{round(value, 12) + 0.0:.6g}"


def plain(value: float) -> float | str | None:
    """Returns a number as JSON can hold it: "inf" and "-inf" in words, null for nan."""
    if math.isnan(value):
        return None
    return str(value) if math.isinf(value) else value
