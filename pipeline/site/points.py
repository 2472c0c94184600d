"""What the browser draws of a gain and its interval, as JSON can hold it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from metric_robustness.pipeline.scoring.board.standing import Standing
from metric_robustness.pipeline.scoring.scores.curve import Curve
from metric_robustness.pipeline.scoring.scores.effects import Effect
from metric_robustness.pipeline.scoring.tables.format import plain


def estimate(effect: Effect) -> list[float | str | None]:
    """Returns the absolute gain and the ends of its interval."""
    return [plain(value) for value in (effect.scores["absolute_gain"], *effect.intervals["absolute_gain"])]


def points(curve: Curve) -> list[list[float | str | None]]:
    """Returns budget, gain and the ends of its interval by budget; first budget 0, within which nothing moves."""
    return [[0, 0, 0, 0], *([budget, *estimate(effect)] for budget, effect in curve.effects.items())]


def others(beside: Iterable[Standing], own: Standing) -> list[dict[str, Any]]:
    """Returns the curves of the metrics beside one, by name; those without a curve are left out."""
    return [
        {"metric": each.metric, "curve": points(each.effects.curve)}
        for each in beside
        if each.effects.curve and each.metric != own.metric
    ]
