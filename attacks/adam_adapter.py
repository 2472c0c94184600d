"""Adam's update for attacks: element by element, so that an image's result does not depend on its batch."""

from __future__ import annotations

import torch
from torch import Tensor

MEAN, SQUARE = 0.9, 0.999  # decay per step of the first and the second moment
FLOOR = 1e-8  # the constant in Adam's divisor


class Ascent:
    """Adam's moments during one attack (Kingma & Ba, ICLR 2015).

    Adam's divisor has a constant, 1e-8. Here it is relative to the largest gradient of each image, so that the scale
    of the metric does not matter.
    """

    def __init__(self) -> None:
        self.mean: Tensor | float = 0.0
        self.square: Tensor | float = 0.0
        self.steps = 0

    def update(self, gradient: Tensor) -> Tensor:
        """Returns the direction of the next step, values of about ±1, in the shape of `gradient`, (N, ...)."""
        self.steps += 1
        self.mean = MEAN * self.mean + (1 - MEAN) * gradient
        self.square = SQUARE * self.square + (1 - SQUARE) * gradient.square()
        size = (self.square / (1 - SQUARE**self.steps)).sqrt()
        largest = size.amax(dim=tuple(range(1, size.ndim)), keepdim=True)
        return self.mean / (1 - MEAN**self.steps) / (size + FLOOR * largest).clamp_min(torch.finfo().tiny)
