"""What the plots of leaderboards share: which sections and metrics are drawn, and their captions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from metric_robustness.pipeline.errors import BenchError, suggestion
from metric_robustness.pipeline.scoring.tables.board_file import Facts


def sections_of(board: Facts, names: Sequence[str]) -> list[tuple[Facts, list[Facts]]]:
    """Returns each section with those of its metrics that are named; all metrics if no name is given.

    A section without such a metric is left out.

    Raises:
        BenchError: If a name is unknown, or no metric is on the leaderboard.
    """
    known = {metric["metric"]: None for section in board["sections"] for metric in section["metrics"]}
    require(names, known, "metric")
    found = []
    for section in board["sections"]:
        own = [metric for metric in section["metrics"] if not names or metric["metric"] in names]
        if own:
            found.append((section, own))
    if not found:
        raise BenchError("there must be a metric on the leaderboard to draw; got none: run some cells first")
    return found


def require(names: Sequence[str], known: dict[str, None], what: str) -> None:
    """Raises BenchError for a name that is not known; `what` is what the message calls it, metric or attack."""
    for name in names:
        if name not in known:
            raise BenchError(f"no {what} on the leaderboard is named {name!r}: {suggestion(name, known)}")


def caption(section: Facts) -> str:
    """Returns the title of a section's panel."""
    unit = "clip" if section["kind"] == "video" else "image"
    return f"{section['title']}, {section['images']} {unit}{'' if section['images'] == 1 else 's'}"


def estimate(effect: Facts | None) -> tuple[float, float, float]:
    """Returns the absolute gain and how far its interval reaches below and above; nan where there is none."""
    if effect is None:
        return (math.nan,) * 3
    gain = effect["absolute_gain"]
    value, low, high = (math.nan if gain[name] is None else float(gain[name]) for name in ("value", "low", "high"))
    return value, max(value - low, 0), max(high - value, 0)
