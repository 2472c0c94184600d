"""What the browser draws of a gain and its interval, as JSON can hold it."""

from __future__ import annotations

from metric_robustness.pipeline.scoring.scores.curve import Curve
from metric_robustness.pipeline.scoring.scores.effects import Effect
from metric_robustness.pipeline.scoring.tables.format import plain


def estimate(effect: Effect) -> list[float | str | None]:
    """Returns the absolute gain and the ends of its interval."""
    return [plain(value) for value in (effect.scores["absolute_gain"], *effect.intervals["absolute_gain"])]


def points(curve: Curve) -> list[list[float | str | None]]:
    """Returns budget, gain and the ends of its interval by budget; first budget 0, within which nothing moves."""
    return [[0, 0, 0, 0], *([budget, *estimate(effect)] for budget, effect in curve.effects.items())]
