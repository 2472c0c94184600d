"""What the searches of a cell run on: the metric or its copy, and compiled passes where those save time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.data.dataset import Dataset, Photo
from metric_robustness.pipeline.data.images import Batch
from metric_robustness.pipeline.engine.attack.pass_run import PassRun
from metric_robustness.pipeline.engine.attack.passes import Pass
from metric_robustness.pipeline.engine.batching import attempt
from metric_robustness.pipeline.engine.checkpoint import Checkpoint
from metric_robustness.pipeline.engine.metric.compiling import LEAST, Ahead, CompiledSearch
from metric_robustness.pipeline.engine.metric.runner import MetricRunner, Searched
from metric_robustness.pipeline.engine.metric.search import search_of, uncompilable
from metric_robustness.pipeline.engine.progress import COMPILING, OnWork

TRIED = "compiling"  # under this name the checkpoint has what was tried, so that a resumed run goes on as it began
BACK = 3  # what a pass forward and one back cost, in passes forward


class BatchKind(NamedTuple):
    """Batches that are decided about together."""

    dataset: str
    images: int
    height: int
    width: int
    gradient: bool  # whether most time goes to passes forward and back

    @classmethod
    def of(cls, dataset: Dataset, current: Pass, photos: list[Photo]) -> BatchKind:
        """Returns of which kind a batch of a pass is."""
        budgets = [trial.attack.budget() for trial in current.trials if trial.searches]
        back = sum(budget.gradients for budget in budgets)
        gradient = BACK * back >= sum(budget.queries for budget in budgets) - back
        return cls(dataset.name, *_size(photos), gradient)


class CellSearch:
    """Decides what the searches of a cell run on; each batch is searched on what was decided before it.

    Args:
        runner: The metric.
        cell: The cell.
        checkpoint: Of the cell.
        datasets: What is attacked: new images as earlier ones were.
        on_work: Hears when passes are compiled.
    """

    def __init__(
        self, runner: MetricRunner, cell: Cell, checkpoint: Checkpoint, datasets: Iterable[Dataset], on_work: OnWork
    ) -> None:
        self.runner, self.cell, self.checkpoint, self.on_work = runner, cell, checkpoint, on_work
        self.datasets = {dataset.name: dataset for dataset in datasets}
        self.decided: set[BatchKind] = set()
        self.compiled: dict[str, CompiledSearch] = {}  # by data set
        # Why compiled passes are not taken, empty if they are; of the run that is gone on with, too.
        self.tried = {BatchKind(*kind): reason for *kind, reason in checkpoint.header.get(TRIED, ())}

    def of(self, dataset: str) -> Searched:
        """Returns what searches on a data set of this name run on now."""
        plain = search_of(self.runner, self.datasets[dataset], self.cell.distortion)
        return self.compiled[dataset].searched if dataset in self.compiled else plain

    def before(self, dataset: Dataset, current: Pass, todo: Mapping[str, list[Photo]]) -> None:
        """Has passes compiled where the user wants all to be, or where the run that is gone on with tried it."""
        wanted = self.runner.compute.compiled
        for photos in todo.values() if wanted is not False else ():
            kind = BatchKind.of(dataset, current, photos)
            if wanted or kind in self.tried:
                self._decide(kind, dataset, current, photos, math.inf)

    def after(
        self, dataset: Dataset, current: Pass, passing: PassRun, unit: str, todo: Mapping[str, list[Photo]]
    ) -> None:
        """Has passes compiled if the batches that are left take long, by what the one took that is done now."""
        photos, done = todo[unit], self.checkpoint.done
        kind = BatchKind.of(dataset, current, photos)
        if self.runner.compute.compiled is not None or kind in self.decided or uncompilable(self.runner):
            return
        same = {name: each for name, each in todo.items() if name not in done and _size(each) == _size(photos)}
        left = sum(passing.work_of(*each) for each in same.items()) / passing.work_of(unit, photos)
        self._decide(kind, dataset, current, photos, left * done[unit]["seconds"])

    def _decide(self, kind: BatchKind, dataset: Dataset, current: Pass, photos: list[Photo], seconds: float) -> None:
        """Has passes over batches like this one compiled if that pays, once."""
        if kind in self.decided or uncompilable(self.runner):
            return
        refused = "" if self.runner.compute.compiled else self.tried.get(kind, "")
        ahead = Ahead(kind.gradient, self.cell.settings.dtype == "bfloat16", seconds, refused)
        if ahead.pays(LEAST):
            batch = self._whole(dataset, current, photos)
            if not batch:  # another one of this size will tell
                return
            self._take_compiled(kind, batch, ahead)
        self.decided.add(kind)

    def _whole(self, dataset: Dataset, current: Pass, photos: list[Photo]) -> Batch | None:
        """Returns a batch; None if an image is broken, or has no clear score: no search sees a batch of this size."""
        excluded = self.runner.clear(dataset, current.distortion, partial(self.on_work, "clear")).excluded
        if any(photo.name in excluded for photo in photos):
            return None
        batch = self.runner.load(photos, dataset, current.distortion)
        return None if batch.excluded else batch

    def _take_compiled(self, kind: BatchKind, batch: Batch, ahead: Ahead) -> None:
        """Has passes over batches like this one compiled, and notes what became of it."""
        self.on_work(COMPILING, 0)
        plain = search_of(self.runner, self.datasets[kind.dataset], self.cell.distortion)
        search = self.compiled.setdefault(kind.dataset, CompiledSearch(self.runner, plain))
        given = attempt(partial(self._given, batch))
        reason = given if isinstance(given, str) else search.compile(*given, ahead)
        if reason is not None:
            self.tried[kind] = reason
            self.checkpoint.note(TRIED, [[*kind, reason] for kind, reason in self.tried.items()])
        self.on_work(self.cell.attack.name, 0)

    def _given(self, batch: Batch) -> tuple[Images, Images | None]:
        """Returns what the metric gets of a batch in a search, with the references."""
        images, references = self.runner.on_device(batch)
        defended = self.runner.defended([photo.name for photo in batch.photos])
        return defended.shown(images, references) if defended else (images, references)


def _size(photos: list[Photo]) -> tuple[int, int, int]:
    return len(photos), photos[0].height, photos[0].width
