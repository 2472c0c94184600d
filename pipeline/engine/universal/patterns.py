"""The patterns of universal attacks: taken from an earlier run or another machine, else fitted."""

from __future__ import annotations

from collections.abc import Sequence

from metric_robustness.attacks.base import Pattern
from metric_robustness.pipeline import config
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.fit import NEVER, Fit, fits_of
from metric_robustness.pipeline.data.dataset import Dataset, open_dataset
from metric_robustness.pipeline.engine.attack.passes import Patterns
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.progress import OnWork
from metric_robustness.pipeline.engine.universal.fit import FitRun, FitStep, OnStep
from metric_robustness.pipeline.engine.universal.tensors import from_bytes
from metric_robustness.pipeline.errors import TransientError
from metric_robustness.pipeline.terminal import err


def open_training_set(name: str, limit: int | None = None) -> Dataset:
    """Returns a training set; of a data set that is split, its training part.

    Args:
        name: A data set of benchmark.yml, or a folder.
        limit: Take this many images.

    Raises:
        BenchError: If there is no such data set or folder.
        DataError: If it holds no image that can be used.
    """
    known = config.load().datasets
    part = f"{name}_train"
    return open_dataset(part if name not in known and part in known else name, limit)


def patterns_of(runner: MetricRunner, cell: Cell, train: Sequence[Dataset], on_work: OnWork) -> Patterns:
    """Returns the patterns that a cell needs; none unless its attack is universal.

    Args:
        runner: The metric.
        cell: The cell.
        train: The training sets.
        on_work: Is called with the passes over an image that are done; a crop's gradient counts as three.

    Raises:
        DataError: If one cannot be fitted.
        TransientError: If the machine failed.
    """

    def on_step(step: FitStep) -> None:
        on_work(cell.attack.name, 3 * step.images)

    by_name = {dataset.name: dataset for dataset in train}
    found: dict[str, dict[str, Pattern]] = {}
    for fit in fits_of(cell):
        found.setdefault(fit.variant, {})[fit.train] = pattern_of(runner, fit, by_name[fit.train], on_step)
    return found


def pattern_of(runner: MetricRunner, fit: Fit, dataset: Dataset, on_step: OnStep, *, every: float = 30) -> Pattern:
    """Returns a fit's pattern: from the output folder, else from the result store, else fitted now.

    A pattern that was fitted for other weights, by an older version or on other images is refused and fitted again.

    Args:
        runner: The metric.
        fit: What is fitted.
        dataset: The training set.
        on_step: Is called with every step.
        every: Seconds of the fit that a kill may cost.

    Raises:
        DataError: If it cannot be fitted.
        TransientError: If the machine failed.
    """
    stale = fit.staleness(runner.out)
    if stale and stale != NEVER:
        err.print(f"{fit.file(runner.out)}: {stale}; not used", markup=False, soft_wrap=True)
    if stale and not runner.sync.restore_pattern(fit, runner.out):
        FitRun(runner, fit, dataset, on_step, every=every).run()
        runner.sync.keep_pattern(fit, runner.out)
    elif not stale:
        runner.sync.offer_pattern(fit, runner.out)
    content = fit.read(runner.out)
    if content is None:
        raise TransientError(f"{fit.file(runner.out)} was written and is damaged or gone: look at the disk, run again")
    return from_bytes(content)[0]["pattern"]
