"""The callbacks and listeners that follow a run, and the events they get."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias

from metric_robustness.pipeline.cells.cell import Cell

OnProgress: TypeAlias = Callable[[int], None]  # is called with how many more passes over an image are done
OnWork: TypeAlias = Callable[[str, int], None]  # the same, after what they are for: "clear" or an attack
COMPILING = "compiling"  # what is at work while passes are compiled


def silent(work: int) -> None:
    """Ignores progress."""


class Event(NamedTuple):
    """A step of a run: so much of `what` is done, or a cell has ended with a status.

    Without a status, the reason is a warning; without work, `what` begins.
    """

    metric: str
    what: str  # "clear" or an attack; empty before the first cell begins
    work: int  # passes over an image
    status: Literal["", "done", "failed", "skipped"] = ""
    reason: str = ""
    excluded: Sequence[tuple[str, str]] = ()  # of a cell that is done: images and other files, and why they gave no row


OnEvent: TypeAlias = Callable[[Event], None]


class Listener(Protocol):
    """Follows a run; the terminal's progress is one."""

    def begin(self, work: dict[tuple[str, str], int], cells: int, done: int) -> None:
        """Gets how many passes over an image lie ahead, by metric and attack, and how many cells the run has."""

    def on_event(self, event: Event) -> None:
        """Gets each event."""


@dataclass
class Summary:
    """How a run ended.

    Attributes:
        statuses: How many cells ended with each status.
        reasons: Why a cell failed or was skipped, by (metric, attack).
        excluded: By image, or other file, and the reason: the metrics that have no row of it; none stands for all.
        kept: The failed and skipped cells of `reasons` whose earlier rows lie in the folder.
        remarks: What else happened to files, and to how many.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)
    excluded: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    kept: set[tuple[str, str]] = field(default_factory=set)
    remarks: Counter[str] = field(default_factory=Counter)

    def add(self, cell: Cell, status: str, reason: str) -> None:
        """Counts a cell."""
        self.statuses[status] += 1
        if reason and status in {"failed", "skipped"}:
            self.reasons[cell.metric.name, cell.label] = reason

    def exclude(self, metric: str, excluded: Iterable[tuple[str, str]]) -> None:
        """Adds images without a row of a metric, each with the reason."""
        for named in excluded:
            if self.excluded.get(named) != set():
                self.excluded.setdefault(named, set()).add(metric)


class Share:
    """Passes on the progress of one clip, but never more than the clip's work, and the rest at the end."""

    def __init__(self, on_progress: OnProgress, work: int) -> None:
        self.on_progress, self.left = on_progress, work

    def __call__(self, work: int) -> None:
        """Passes on that so much more is done."""
        if work := min(work, self.left):
            self.left -= work
            self.on_progress(work)

    def end(self) -> None:
        """Passes on the rest: what an earlier run did, or what was given up."""
        self(self.left)
