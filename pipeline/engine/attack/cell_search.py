"""What the searches of a cell run on: the metric or its copy, and compiled passes where those save time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.data.dataset import Dataset, Photo
from metric_robustness.pipeline.data.images import Batch
from metric_robustness.pipeline.engine.attack.pass_run import PassRun
from metric_robustness.pipeline.engine.attack.passes import Pass
from metric_robustness.pipeline.engine.checkpoint import Checkpoint
from metric_robustness.pipeline.engine.metric.compiling import LEAST, Ahead, CompiledSearch
from metric_robustness.pipeline.engine.metric.runner import MetricRunner, Searched
from metric_robustness.pipeline.engine.metric.search import search_of, uncompilable
from metric_robustness.pipeline.engine.progress import OnWork

Size: TypeAlias = tuple[int, int, int]  # images, height, width
COMPILED = "compiled"  # under this name the checkpoint has them, so that a resumed run goes on as it began
BACK = 3  # what a pass forward and one back cost, in passes forward


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
        self.decided: set[tuple[str, Size, bool]] = set()
        self.compiled: dict[str, CompiledSearch] = {}  # by data set

    def of(self, dataset: str) -> Searched:
        """Returns what searches on a data set of this name run on now."""
        plain = search_of(self.runner, self.datasets[dataset], self.cell.distortion)
        return self.compiled[dataset].searched if dataset in self.compiled else plain

    def before(self, dataset: Dataset, current: Pass, todo: Mapping[str, list[Photo]]) -> None:
        """Has passes compiled where the user wants all to be, or where the run that is gone on with had them."""
        known = {tuple(size) for name, *size in self.checkpoint.header.get(COMPILED, ()) if name == dataset.name}
        for photos in todo.values():
            if self.runner.compute.compiled or _size(photos) in known:
                self._compile(dataset, current, photos, math.inf)

    def after(
        self, dataset: Dataset, current: Pass, passing: PassRun, unit: str, todo: Mapping[str, list[Photo]]
    ) -> None:
        """Has passes compiled if the batches that are left take long, by what the one took that is done now."""
        if self.runner.compute.compiled is not None:
            return
        photos, done = todo[unit], self.checkpoint.done
        same = {name: each for name, each in todo.items() if _size(each) == _size(photos) and name not in done}
        left = sum(passing.work_of(*each) for each in same.items()) / passing.work_of(unit, photos)
        self._compile(dataset, current, photos, left * done[unit]["seconds"])

    def _compile(self, dataset: Dataset, current: Pass, photos: list[Photo], seconds: float) -> None:
        budgets = [trial.attack.budget() for trial in current.trials if trial.searches]
        back = sum(budget.gradients for budget in budgets)
        gradient = BACK * back >= sum(budget.queries for budget in budgets) - back
        what = dataset.name, _size(photos), gradient
        if not budgets or what in self.decided or uncompilable(self.runner):
            return
        ahead = Ahead(gradient, self.cell.settings.dtype == "bfloat16", seconds)
        if ahead.pays(LEAST):
            batch = self.runner.load(photos, dataset, current.distortion)
            if len(batch.photos) < len(photos):  # another batch of this size, without broken images, will tell
                return
            self._take_compiled(dataset.name, batch, ahead)
        self.decided.add(what)

    def _take_compiled(self, dataset: str, batch: Batch, ahead: Ahead) -> None:
        """Has passes over batches like this one compiled, and notes that it was done."""
        self.on_work("compiling", 0)
        plain = search_of(self.runner, self.datasets[dataset], self.cell.distortion)
        search = self.compiled.setdefault(dataset, CompiledSearch(self.runner, plain))
        if search.compile(*self.runner.on_device(batch), ahead):
            found = [*self.checkpoint.header.get(COMPILED, ()), [dataset, *_size(batch.photos)]]
            self.checkpoint.note(COMPILED, [list(each) for each in dict.fromkeys(map(tuple, found))])
        self.on_work(self.cell.attack.name, 0)


def _size(photos: list[Photo]) -> Size:
    return len(photos), photos[0].height, photos[0].width
