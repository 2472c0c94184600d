"""Where Auto-PGD's search of each image stands, and whether its step is still of use."""

from __future__ import annotations

import torch
from torch import Tensor

from metric_robustness.attacks.base import Images, Scores, per_image

RISING = 0.75  # the share of steps that must raise the objective for the step to stay as long


class SearchState:
    """Where the search of each image stands, and what it has reached.

    Args:
        value: The objective at the clear images, (N,).
        gradient: Its gradients there, (N, 3, H, W).
        images: The clear images.
    """

    def __init__(self, value: Scores, gradient: Images, images: Images) -> None:
        self.value, self.gradient = value, gradient
        self.top, self.top_gradient, self.top_images = value, gradient, images
        self.rises = torch.zeros_like(value)
        self.last_top, self.halved = value, torch.ones_like(value, dtype=torch.bool)  # at the last checkpoint

    def moved_to(self, images: Images, value: Scores, gradient: Images) -> None:
        """Notes the objective and its gradients at the next iterate."""
        self.rises = self.rises + (value > self.value)
        self.value, self.gradient = value, gradient
        better = value > self.top
        self.top = value.where(better, self.top)
        self.top_images = images.where(per_image(better), self.top_images)
        self.top_gradient = gradient.where(per_image(better), self.top_gradient)

    def stuck(self, steps: int) -> Tensor:
        """Returns which images, (N,), need a shorter step, `steps` steps after the last checkpoint."""
        halved = (self.rises < RISING * steps) | (~self.halved & (self.top <= self.last_top))
        self.rises, self.last_top, self.halved = torch.zeros_like(self.rises), self.top, halved
        return halved

    def restarted(self, halved: Tensor, images: Images) -> Images:
        """Returns the iterates, those with a halved step put back to the best they had."""
        self.value = self.top.where(halved, self.value)
        self.gradient = self.top_gradient.where(per_image(halved), self.gradient)
        return self.top_images.where(per_image(halved), images)
