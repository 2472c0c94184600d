"""What a reader can choose on the ranking; a question with one answer is not asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from metric_robustness.pipeline.scoring.board.leaderboard import Leaderboard
from metric_robustness.pipeline.site.views import WHOLE, View

KINDS = {"NR": "No reference", "FR": "Full reference", "video": "Video"}
ALL = "all"  # in addresses: every kind of metric


@dataclass(frozen=True)
class Question:
    """A choice of which all answers are seen at once.

    Attributes:
        name: In addresses.
        label: For those who hear it.
        said: What stands before it; empty where the answers explain themselves.
        answers: By their value in addresses, what they are called.
        first: The value that is chosen until the reader chooses.
    """

    name: str
    label: str
    said: str
    answers: dict[str, str]
    first: str


@dataclass(frozen=True)
class Controls:
    """The questions, and what the filters offer."""

    questions: list[Question]
    families: list[str]
    datasets: list[str]
    defences: list[str]


def controls(board: Leaderboard, shown: Iterable[View]) -> Controls:
    """Returns what a reader can choose of a board in its views."""
    standings = [standing for section in board.sections for standing in section.standings]
    return Controls(
        [question for question in _questions(board, [view.name for view in shown]) if len(question.answers) > 1],
        families=sorted({family for section in board.sections for family in section.attacks.values()}),
        datasets=sorted({section.dataset for section in board.sections}),
        defences=sorted({each.metric.partition("+")[2] for each in standings if "+" in each.metric}),
    )


def _questions(board: Leaderboard, views: list[str]) -> Iterator[Question]:
    kinds = {kind: title for kind, title in KINDS.items() if any(kind == each.kind for each in board.sections)}
    every = {ALL: "All"} if len(kinds) > 1 else {}
    yield Question("type", "Kind of metric", "", kinds | every, next(iter(kinds), ALL))
    budgets = {name: name for name in views if name.isdigit()}
    yield Question("budget", "Largest change, in 255ths", "within", budgets | {"": f"{WHOLE}/255"}, "")
    falls = {"worse": "worse"} if "worse" in views else {}
    yield Question("direction", "What attacks are after", "made to look", {"": "better"} | falls, "")
