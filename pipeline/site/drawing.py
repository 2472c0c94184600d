"""What the tables draw beside their numbers: where a bar ends, and how dark a heat map's cell is."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from metric_robustness.pipeline.scoring.scores.effects import Effect

SCORE = "absolute_gain"  # what bars and heat maps show
WHOLE = 1.0  # the metric's range, where bars end: beside a longer one the others would be too short to see
SHADES = (0.01, 0.05, 0.1, 0.25, 0.5)  # absolute values from which a heat map's cell is one shade darker


@dataclass(frozen=True)
class Axis:
    """The range of values, zero included, that the bars of one table share."""

    low: float
    high: float

    @classmethod
    def over(cls, effects: Iterable[Effect | None]) -> Axis:
        """Returns the axis that holds all gains and the ends of their intervals, but ends at -WHOLE and WHOLE."""
        ends = [end for each in effects if each for end in (each.scores[SCORE], *each.intervals[SCORE])]
        known = [0.0, *(end for end in ends if math.isfinite(end))]
        low, high = max(min(known), -WHOLE), min(max(known), WHOLE)
        return cls(low, high if low < high else low + 1)

    @property
    def label(self) -> str:
        """Returns what stands above the bars."""
        low, high = (round(end, 2) + 0.0 for end in (self.low, self.high))  # + 0.0: no "-0.00"
        return f"{low:.2f} to {high:.2f}"

    def at(self, value: float) -> float:
        """Returns how far to the right a value lies, from 0 to 100; values beyond the axis lie at its end."""
        place = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(100 * place, 2)


def shade(value: float) -> str:
    """Returns the class of a heat map's cell: up-0 to up-5 for raised scores, down-1 to down-5 for lowered ones."""
    if math.isnan(value):
        return "unknown"
    depth = bisect_right(SHADES, abs(value))
    return f"{'down' if value < 0 and depth else 'up'}-{depth}"
