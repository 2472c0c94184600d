"""Runs the cells of each metric in a worker process; one that is lost costs only the cell that was at work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.catalogue.syntax import reached
from metric_robustness.pipeline.engine.progress import COMPILING, Event, OnEvent
from metric_robustness.pipeline.isolation.watch import Watched
from metric_robustness.pipeline.isolation.worker import Runnable

SLOW = {"pyiqa", "torchvision"}  # packages whose import takes seconds


def slow_imports(entries: Iterable[Entry]) -> list[str]:
    """Returns the packages that some entries import and that are worth importing once for all their processes."""
    usable = [entry for entry in entries if not entry.problem]
    files = {(each.root or places.CODE) / each.folder / f"{each.name.partition('+')[0]}.py" for each in usable}
    return sorted(SLOW & set[str]().union(*(reached(file)[1] for file in files)))


@dataclass
class MetricWatch:
    """The cells of a metric in a worker process.

    Attributes:
        metric: Its name.
        left: The attacks whose cells have not ended, in the order in which they are run.
        task: Returns what runs the cells of some attacks.
        on_event: Is called, in this process, with what the worker reports.
        at_work: What began last: "clear", "compiling" or an attack; empty while the metric is loaded.
    """

    metric: str
    left: list[str]
    task: Callable[[list[str]], Runnable]
    on_event: OnEvent
    at_work: str = ""

    def watched(self) -> Watched:
        """Returns what is to be run now."""
        self.at_work = ""
        return Watched(self.task(self.left), self._on_message, self._on_lost)

    def _on_message(self, event: Event) -> None:
        self.at_work = event.what
        if event.status:
            self.left.remove(event.what)
        self.on_event(event)

    def _on_lost(self, reason: str) -> Watched | None:
        """Has the cell fail that was at work; all that are left where the metric was at work alone."""
        alone = self.at_work in {"", "clear"}
        subject = f"metric {self.metric}" if alone else f"metric {self.metric} under attack {self.left[0]}"
        if self.at_work == COMPILING:
            reason += ", or run with --no-compile, since its passes were being compiled"
        for attack in list(self.left) if alone else self.left[:1]:
            self._on_message(Event(self.metric, attack, 0, "failed", f"{subject} {reason}"))
        return self.watched() if self.left else None
