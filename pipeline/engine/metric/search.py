"""What a search runs on: a faster copy of the metric where it agrees with the metric, else the metric itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from metric_robustness.metrics.base import Images, Metric
from metric_robustness.pipeline.cells.cell import probe_key
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.engine.batching import attempt, free_memory
from metric_robustness.pipeline.engine.metric.few_images import few_images
from metric_robustness.pipeline.engine.metric.runner import MetricRunner, Searched
from metric_robustness.pipeline.engine.search_copy.agree import CopyComparison, passes
from metric_robustness.pipeline.engine.search_copy.fold import foldable, folded

AGREES = "agrees"


def search_of(runner: MetricRunner, dataset: Dataset, distortion: Distortion) -> Searched:
    """Returns what searches on a data set run on, the same for all attacks and on all machines.

    Whether the copy agrees is found out on the images that the probe uses, and remembered as its measurements are.

    Args:
        runner: The metric.
        dataset: The images.
        distortion: Of the images.

    Raises:
        DataError: If the metric cannot be built.
        TransientError: If the GPU is lost.
    """
    key = (dataset.digest, distortion)
    if key not in runner.searches:
        runner.searches[key] = _search(runner, dataset, distortion)
    return runner.searches[key]


def _search(runner: MetricRunner, dataset: Dataset, distortion: Distortion) -> Searched:
    made = attempt(partial(_copy_of, runner))
    if isinstance(made, str):
        return Searched(runner.metric, f"the metric itself: {made}")
    key = probe_key(runner.entry, dataset.digest, distortion)
    found = runner.remembered(key, "copy", lambda: _verdict(runner, made.metric, dataset, distortion))
    return made if found == AGREES else Searched(runner.metric, f"the metric itself: on a copy {found}")


def _copy_of(runner: MetricRunner) -> Searched | str:
    """Returns the metric's copy, made once; or why there is none."""
    if runner.copy is None:
        runner.copy = _made(runner)
    return runner.copy


def _made(runner: MetricRunner) -> Searched | str:
    facts = runner.entry.fields
    if runner.entry.kind == "video":
        return "it rates clips"
    if facts["random"] or facts["batch_dependent"] or not facts["differentiable"]:
        return "a copy could not be compared with it"
    pairs = foldable(runner.metric)
    if not pairs:
        return "it has no batch norm that a layer before it could take in"
    return Searched(
        folded(runner.metric, pairs), f"a copy with {len({pair.norm for pair in pairs})} batch norms folded"
    )


def _verdict(runner: MetricRunner, twin: Metric, dataset: Dataset, distortion: Distortion) -> str:
    """Returns that the copy agrees with the metric on a few images, or how it differs."""
    comparison = CopyComparison(runner.metric, twin)
    found = attempt(lambda: comparison.disagreement(_pictures(runner, dataset, distortion)))
    free_memory()
    return found or AGREES


def _pictures(runner: MetricRunner, dataset: Dataset, distortion: Distortion) -> Iterator[tuple[Images, Images | None]]:
    """Yields the images with their references that the metric itself can score."""
    for batch in few_images(runner, dataset, distortion):
        if batch.photos:
            images, references = runner.on_device(batch)
            if not isinstance(attempt(partial(passes, runner.metric, images, references)), str):
                yield images, references
