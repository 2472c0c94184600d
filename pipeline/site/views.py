"""What the ranking can show, one at a time: the worst case within a budget, or how far attacks lower the score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from metric_robustness.pipeline.scoring.board.leaderboard import Leaderboard, Section
from metric_robustness.pipeline.scoring.board.records import BUDGET
from metric_robustness.pipeline.scoring.board.standing import Standing
from metric_robustness.pipeline.scoring.scores.effects import Effect
from metric_robustness.pipeline.site.drawing import Axis

WHOLE = round(BUDGET * 255)  # the whole budget, in 255ths


@dataclass(frozen=True)
class View:
    """The columns that change together.

    Attributes:
        name: In addresses: "" of the one that is shown first, "2" of budget 2/255, "worse" of the falls.
        heading: Of the column of gains.
        told: What stands above the table.
        rank: A metric's rank in this view; None where it has none.
        effect: What attacks did to a metric; None where that is not known.
        extent: The effect whose size the bars must have room for, so that bars of all budgets share one scale.
    """

    name: str
    heading: str
    told: str
    rank: Callable[[Standing], int | None]
    effect: Callable[[Standing], Effect | None]
    extent: Callable[[Standing], Effect | None]

    def axis(self, section: Section) -> Axis:
        """Returns the axis of the bars of a section."""
        return Axis.over(map(self.extent, section.standings))


def views(board: Leaderboard) -> Iterator[View]:
    """Yields the views that have a number, the one that is shown first at the head."""
    told = f"Shown: the worst case within {WHOLE}/255."
    yield View("", "gain, worst case", told, lambda standing: standing.rank, _worst, _worst)
    for budget in _budgets(board)[:-1]:
        told = (
            f"Shown: the worst case within {budget}/255, and the rank by it. R-scores, intervals of ranks, families "
            f"and attacks are known within {WHOLE}/255 only, so that they are left out."
        )
        within = partial(_within, budget=budget)
        yield View(str(budget), f"gain within {budget}/255", told, partial(_rank_within, budget=budget), within, _worst)
    if _has_falls(board):
        told = (
            f"Shown: the largest fall within {WHOLE}/255 by attacks that are to lower the score, the smallest first; "
            "the swing is how far the score can be moved at all, from the largest fall to the largest rise."
        )
        yield View("worse", "largest fall", told, lambda standing: standing.ranks.fall, _fall, _fall)


def _budgets(board: Leaderboard) -> list[int]:
    """Returns the budgets of all security curves, in 255ths, smallest first; nothing where there are none."""
    return sorted({budget for section in board.sections for budget in section.budgets})


def _has_falls(board: Leaderboard) -> bool:
    """Returns whether attacks were to lower the score of some metric."""
    return any(standing.effects.fall for section in board.sections for standing in section.standings)


def _worst(standing: Standing) -> Effect | None:
    return standing.effects.worst


def _fall(standing: Standing) -> Effect | None:
    return standing.effects.fall


def _within(standing: Standing, budget: int) -> Effect | None:
    return standing.effects.curve.effects.get(budget) if standing.effects.curve else None


def _rank_within(standing: Standing, budget: int) -> int | None:
    return standing.ranks.within.get(budget)
