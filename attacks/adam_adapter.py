"""Adam's update for attacks: element by element, so that an image's result does not depend on its batch."""

from __future__ import annotations

import torch
from torch import Tensor

FLOOR = 1e-8  # the constant in Adam's divisor


class Ascent:
    """Adam's moments during one attack (Kingma & Ba, ICLR 2015).

    Adam's divisor has a constant, 1e-8. Here it is relative to the largest gradient of each image, so that the scale
    of the metric does not matter.

    Args:
        decay: What the first and the second moment keep of themselves in a step.
    """

    def __init__(self, decay: tuple[float, float] = (0.9, 0.999)) -> None:
        self.decay = decay
        self.mean: Tensor | float = 0.0
        self.square: Tensor | float = 0.0
        self.steps = 0

    def update(self, gradient: Tensor) -> Tensor:
        """Returns the direction of the next step, values of about ±1, in the shape of `gradient`, (N, ...)."""
        of_mean, of_square = self.decay
        self.steps += 1
        self.mean = of_mean * self.mean + (1 - of_mean) * gradient
        self.square = of_square * self.square + (1 - of_square) * gradient.square()
        size = (self.square / (1 - of_square**self.steps)).sqrt()
        largest = size.amax(dim=tuple(range(1, size.ndim)), keepdim=True)
        return self.mean / (1 - of_mean**self.steps) / (size + FLOOR * largest).clamp_min(torch.finfo().tiny)
