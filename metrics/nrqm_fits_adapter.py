"""Shapes of distributions as NRQM's authors fit them."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

SLIGHT = 1e-7  # is added to divisors


def shape(values: Tensor) -> Tensor:
    """Returns the grid's shape of a generalised Gaussian for values along dimension 1: (N, K, ...) to (N, ...)."""
    centred = values - values.mean(1, keepdim=True)
    variance = centred.square().sum(1) / (values.shape[1] - 1)
    ratio = variance / (centred.abs().mean(1).square() + SLIGHT)
    shapes, between = (table.to(values) for table in _grid())
    return shapes[torch.searchsorted(between, -ratio)]


def variation(values: Tensor, slight: float = SLIGHT) -> Tensor:
    """Returns the deviation of sizes along dimension 1 in parts of their mean: (N, K, P) to (N, P)."""
    sizes = values.abs()
    mean = sizes.mean(1, keepdim=True)
    deviation = ((sizes - mean).square().sum(1) / (values.shape[1] - 1)).sqrt()
    return deviation / (mean.squeeze(1) + slight)


@cache
def _grid() -> tuple[Tensor, Tensor]:
    """Returns shapes, and the negative midpoints of their ratios of variance to squared mean size."""
    shapes = torch.arange(0.03, 10 + 0.001, 0.001).double()
    one, two, three = (torch.lgamma(order / shapes) for order in (1, 2, 3))
    ratios = (one + three - 2 * two).exp()
    return shapes, -(ratios[1:] + ratios[:-1]) / 2
