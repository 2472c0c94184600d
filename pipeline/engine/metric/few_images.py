"""A few images of a data set, on which a metric is measured or an attack tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.cells.few_images import MOST
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import Batch, load_batch

Item = TypeVar("Item")


def few_images(dataset: Dataset, distortion: Distortion, *, paired: bool, most: int = MOST) -> Iterator[Batch]:
    """Yields a few images of the data set, at most `most`, spread over it, each as a batch of one.

    Args:
        dataset: The images.
        distortion: Of the images.
        paired: Whether their originals are decoded, too.
        most: How many there are at most.
    """
    for photo in spread(dataset.photos, most):
        yield load_batch([photo], dataset.crop, distortion, paired=paired)


def spread(items: Sequence[Item], most: int = MOST) -> Sequence[Item]:
    """Returns at most `most` of the items, spread over all of them."""
    count = min(most, len(items))
    return items[:: len(items) // count][:count] if count else []
