"""Adam's update, shared by the attacks that climb with it: elementwise, so that no image sees another."""

from __future__ import annotations

import torch
from torch import Tensor

MEAN, SQUARE = 0.9, 0.999  # what remains of the moments at each step
FLOOR = 1e-8


class Ascent:
    """The moments of one climb (Kingma & Ba, ICLR 2015).

    Adam's constant 1e-8 is taken relative to the largest gradient of each image, lest a metric's scale matter.
    """

    def __init__(self) -> None:
        self.mean: Tensor | float = 0.0
        self.square: Tensor | float = 0.0
        self.steps = 0

    def update(self, gradient: Tensor) -> Tensor:
        """Returns the direction of the next step, about ±1 everywhere, of the shape of `gradient`, (N, ...)."""
        self.steps += 1
        self.mean = MEAN * self.mean + (1 - MEAN) * gradient
        self.square = SQUARE * self.square + (1 - SQUARE) * gradient.square()
        size = (self.square / (1 - SQUARE**self.steps)).sqrt()
        largest = size.amax(dim=tuple(range(1, size.ndim)), keepdim=True)
        return self.mean / (1 - MEAN**self.steps) / (size + FLOOR * largest).clamp_min(torch.finfo().tiny)
