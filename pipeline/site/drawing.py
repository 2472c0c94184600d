"""What the tables draw beside their numbers: where a dot lies, how a curve runs, how alarming a value is."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from metric_robustness.pipeline.scoring.scores.curve import Curve
from metric_robustness.pipeline.scoring.scores.effects import Effect

SCORE = "absolute_gain"  # what dots and heat maps show
END = 1.5  # of the metric's range, where an axis ends: beside a longer one the others would lie on one spot
LEAST = 0.1  # of the metric's range, that an axis shows: on a shorter one a firm metric would look like a weak one
STEPS = (0.02, 0.05, 0.1, 0.25, 0.5)  # between two ticks of an axis
TICKS = 5  # at most, beside the first
SHADES = (0.01, 0.05, 0.1, 0.25, 0.5)  # absolute values from which a value is one shade more alarming


@dataclass(frozen=True)
class Axis:
    """The range of values, zero included, that the dots of one table share; it begins and ends at a tick."""

    low: float
    high: float
    step: float = 0.25

    @classmethod
    def over(cls, effects: Iterable[Effect | None]) -> Axis:
        """Returns the axis that holds all gains and the ends of their intervals, but ends at -END and END."""
        ends = [end for each in effects if each for end in (each.scores[SCORE], *each.intervals[SCORE])]
        known = [0.0, *(end for end in ends if math.isfinite(end))]
        low, high = max(min(known), -END), min(max(known), END)
        if high - low < LEAST:
            low, high = (low, LEAST) if high > 0 or low == 0 else (-LEAST, high)
        step = next((step for step in STEPS if high - low <= TICKS * step), STEPS[-1])
        low, high = step * math.floor(round(low / step, 6)), step * math.ceil(round(high / step, 6))
        return cls(low, high if low < high else low + step, step)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Returns the places of the ticks, from 0 to 100, with their labels."""
        count = round((self.high - self.low) / self.step)
        values = [self.low + i * self.step for i in range(count + 1)]
        return [(self.at(value), f"{round(value, 2) + 0.0:g}") for value in values]  # + 0.0: no "-0"

    @property
    def pitch(self) -> float:
        """Returns how far apart two ticks are, in parts of 100."""
        return round(100 * self.step / (self.high - self.low), 3)

    def at(self, value: float) -> float:
        """Returns how far to the right a value lies, from 0 to 100; values beyond the axis lie at its end."""
        place = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(100 * place, 2)

    def beyond(self, value: float) -> bool:
        """Returns whether a value lies past an end of the axis."""
        return not self.low <= value <= self.high


@dataclass(frozen=True)
class Panel:
    """Where curves run in a drawing 100 wide and 100 high: budgets to the right, gains upwards."""

    budget: float  # at the right edge
    top: float  # the gain at the upper edge

    @classmethod
    def over(cls, curves: Iterable[Curve]) -> Panel:
        """Returns the panel that all curves share; it holds the gains, but none beyond END."""
        effects = [(budget, effect) for curve in curves for budget, effect in curve.effects.items()]
        gains = [effect.scores[SCORE] for _, effect in effects if math.isfinite(effect.scores[SCORE])]
        return cls(max((budget for budget, _ in effects), default=1), min(max([0.1, *gains]), END))

    def line(self, curve: Curve) -> str:
        """Returns the points of a curve for a polyline, from budget 0 on."""
        return " ".join(f"{x:g},{y:g}" for x, y in self._points(curve))

    def area(self, curve: Curve) -> str:
        """Returns the points of the polygon between a curve and 0."""
        points = list(self._points(curve))
        return " ".join(f"{x:g},{y:g}" for x, y in [*points, (points[-1][0], 100), (0, 100)])

    def _points(self, curve: Curve) -> Iterator[tuple[float, float]]:
        yield 0, 100
        for budget, effect in curve.effects.items():
            if math.isnan(effect.scores[SCORE]):
                continue
            gain = min(max(effect.scores[SCORE], 0), self.top)
            yield round(100 * budget / self.budget, 1), round(100 - 100 * gain / self.top, 1)


def shade(value: float) -> str:
    """Returns the class of a value: up-0 to up-5 for raised scores, down-1 to down-5 for lowered ones."""
    if math.isnan(value):
        return "unknown"
    depth = bisect_right(SHADES, abs(value))
    return f"{'down' if value < 0 and depth else 'up'}-{depth}"
