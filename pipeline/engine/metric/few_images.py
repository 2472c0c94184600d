"""A few images of a data set, on which a metric is measured or an attack tried."""

from __future__ import annotations

from collections.abc import Iterator

from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.cells.few_images import MOST
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import Batch, load_batch
from metric_robustness.pipeline.engine.metric.runner import MetricRunner


def few_images(runner: MetricRunner, dataset: Dataset, distortion: Distortion, most: int = MOST) -> Iterator[Batch]:
    """Yields a few images of the data set, at most `most`, spread over it, each as a batch of one."""
    count = min(most, len(dataset.photos))
    for photo in dataset.photos[:: len(dataset.photos) // count][:count]:
        yield load_batch([photo], dataset.crop, distortion, paired=runner.entry.full_reference)
