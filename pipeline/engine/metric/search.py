"""What a search runs on: a faster copy of the metric where it agrees with the metric, else the metric itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from metric_robustness.metrics.base import Images, Metric
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.engine.batching import attempt, free_memory
from metric_robustness.pipeline.engine.metric.build import lay_out
from metric_robustness.pipeline.engine.metric.runner import MetricRunner, Searched
from metric_robustness.pipeline.engine.metric.search_copy.agree import CopyComparison, passes
from metric_robustness.pipeline.engine.metric.search_copy.block_convolution import BlockConvolution
from metric_robustness.pipeline.engine.metric.search_copy.fold import foldable, folded
from metric_robustness.pipeline.engine.metric.search_copy.left_behind import nothing_left_behind
from metric_robustness.pipeline.engine.metric.search_copy.saved import saved_part
from metric_robustness.pipeline.terminal import counted

ENOUGH = 0.5  # of the multiplications; below, gradients are a tenth faster, which few images do not pay back


def search_of(runner: MetricRunner, dataset: Dataset, distortion: Distortion) -> Searched:
    """Returns what searches on a data set run on, the same for all attacks.

    Whether the copy agrees is found out on the images that the probe uses, or on short parts of a few clips.

    Args:
        runner: The metric.
        dataset: The images, or clips.
        distortion: Of the images.

    Raises:
        DataError: If the metric cannot be built.
        TransientError: If the GPU is lost.
    """
    key = (dataset.digest, distortion)
    if key not in runner.searches:
        found = _search(runner, dataset, distortion)
        if runner.compute.compiled and (reason := uncompilable(runner)):
            found = found._replace(told=f"{found.told}; not compiled: {reason}")
        runner.searches[key] = found
    return runner.searches[key]


def incomparable(runner: MetricRunner) -> str:
    """Returns why nobody could tell whether other passes agree with the metric's own; nothing if one can."""
    facts = runner.entry.fields
    if facts["random"]:
        return "its scores are random"
    if facts["batch_dependent"]:
        return "its scores depend on the batch"
    return "" if facts["differentiable"] else "it has no gradient"


def uncompilable(runner: MetricRunner) -> str:
    """Returns why a metric's passes are never compiled; nothing if they may be."""
    return "it rates clips" if runner.entry.kind == "video" else incomparable(runner)


def refusals(told: str) -> str:
    """Returns the part of what a stamp says of a search that tells what was not compiled; nothing if all was."""
    _, found, reasons = told.partition("; not compiled")
    return f"not compiled{reasons}" if found else ""


def _search(runner: MetricRunner, dataset: Dataset, distortion: Distortion) -> Searched:
    if runner.copy is None:
        made = attempt(partial(_copy_of, runner))
        runner.copy = made if isinstance(made, Searched) else Searched(runner.metric, f"the metric itself: {made}")
    if runner.copy.metric is runner.metric:
        return runner.copy
    reason = _disagreement(runner, runner.copy.metric, dataset, distortion)
    return Searched(runner.metric, f"the metric itself: on a copy {reason}") if reason else runner.copy


def _copy_of(runner: MetricRunner) -> Searched | str:
    """Returns the metric's copy, or why there is none."""
    if reason := incomparable(runner):
        return reason
    with nothing_left_behind(runner.metric):
        pairs = foldable(runner.metric)
        little = not pairs and saved_part(runner.metric) < ENOUGH
    if little:
        return "nothing in it could be made much faster"
    twin = folded(runner.metric, pairs)
    if runner.entry.kind == "video" and runner.device.type == "cpu":  # a metric of images is laid out itself
        lay_out(twin)
    norms = len({pair.norm for pair in pairs})
    blocks = sum(isinstance(layer, BlockConvolution) for layer in twin.modules())
    changes = counted(norms, "batch norm") + " folded", counted(blocks, "gradient") + " made in blocks"
    return Searched(twin, f"a copy with {' and '.join(each for each in changes if not each.startswith('0 '))}")


def _disagreement(runner: MetricRunner, twin: Metric, dataset: Dataset, distortion: Distortion) -> str:
    """Returns how the copy differs from the metric on a few images or clips; nothing if it agrees."""

    def disagreement() -> str:
        return CopyComparison(runner.metric, twin).disagreement(_pictures(runner, dataset, distortion))

    with nothing_left_behind(runner.metric):
        found = attempt(disagreement)
    free_memory()
    return found


def _pictures(runner: MetricRunner, dataset: Dataset, distortion: Distortion) -> Iterator[tuple[Images, Images | None]]:
    """Yields the images, or clips, with their references that the metric itself can score."""
    for images, references in runner.few(dataset, distortion):
        if not isinstance(attempt(partial(passes, runner.metric, images, references)), str):
            yield images, references
