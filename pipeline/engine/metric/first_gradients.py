"""The gradients at the clear images, which most attacks ask for first: computed once for all attacks of a metric."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple

import torch

from metric_robustness.metrics.base import Images, Scores

ROOM = 2**28  # bytes of gradients that are kept in the main memory, for 240 images of 299x299


class ValuesAndGradient(NamedTuple):
    """What one pass forward and one back give."""

    values: Scores  # (N,)
    gradient: Images  # (N, 3, H, W)


class FirstGradients:
    """Keeps what the first attack on a batch found at its clear images, for those that follow.

    What is kept stays until the metric's last cell: attacks go through the images in the same order, so forgetting the
    oldest for the newest would always forget what is asked for next.
    """

    def __init__(self) -> None:
        self.known: dict[Hashable, ValuesAndGradient] = {}
        self.room = ROOM

    def at(self, batch: Hashable, images: Images) -> FirstGradient:
        """Returns what is known, or will be, at clear images.

        Args:
            batch: Stands for the images, their originals and the data type of the search.
            images: The clear images, as the attack gets them.
        """
        return FirstGradient(self, batch, images)

    def keep(self, batch: Hashable, found: ValuesAndGradient) -> None:
        """Keeps a copy on the CPU, if there is room."""
        size = found.gradient.numel() * found.gradient.element_size()
        if size <= self.room:
            self.known[batch] = ValuesAndGradient(*(each.to("cpu", copy=True) for each in found))
            self.room -= size


class FirstGradient:
    """The gradient at the clear images of one batch.

    Args:
        kept: Where it is kept.
        batch: Stands for the batch.
        images: The clear images.
    """

    def __init__(self, kept: FirstGradients, batch: Hashable, images: Images) -> None:
        self.kept, self.batch, self.images = kept, batch, images

    def found(self, images: Images, find: Callable[[Images], ValuesAndGradient]) -> ValuesAndGradient:
        """Returns what `find` finds at images; of the clear ones, what it found for the first attack.

        To compare pixels, a GPU is waited for: ask once per attack.
        """
        if not torch.equal(images, self.images):
            return find(images)
        if self.batch not in self.kept.known:
            self.kept.keep(self.batch, found := find(images))
            return found
        return ValuesAndGradient(*(each.to(images.device, copy=True) for each in self.kept.known[self.batch]))
