"""Gradients that stay finite: shared by formulas that take roots, and apart from what loads networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images


def finite_gradient(images: Images) -> Images:
    """Returns the same images, with a gradient of 0 where it would be infinite or NaN.

    A square root has no gradient at 0, which metrics reach where an image is flat or equals its reference. A gradient
    of 0 leaves such a pixel alone.
    """
    same: Tensor = _FiniteGradient.apply(images)
    return same


class _FiniteGradient(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, images: Tensor) -> Tensor:
        return images.view_as(images)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        return gradients[0].nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
