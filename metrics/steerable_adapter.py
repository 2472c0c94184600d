"""The coarsest bands of a complex steerable pyramid, as filters of the lowest frequencies of an image."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from pyiqa.matlab_utils import fspecial
from pyiqa.matlab_utils.math_util import pointOp, prepare_grid, rcosFn
from torch import Tensor

LEVELS, ORIENTATIONS = 4, 8
TABLE = 1024  # steps of half a turn in the table of angular filters


@lru_cache(maxsize=16)
def coarse_filters(height: int, width: int) -> tuple[tuple[int, int], Tensor]:
    """Returns where the lowest frequencies begin in a spectrum with zero in the middle, and their (8, h, w) filters.

    They are those of `pyiqa.matlab_utils.SCFpyr_PyTorch`, without a factor of size 1 that CW-SSIM does not see.
    """
    radius, angle = prepare_grid(height, width)
    ramp, high = rcosFn(1, -0.5)
    high = np.sqrt(high)
    low = np.sqrt(1 - high**2)
    passed = pointOp(radius, low, ramp)
    corner = [0, 0]
    for _ in range(LEVELS - 1):
        ramp = ramp - 1
        inner = [_middle(side) for side in radius.shape]
        corner = [begin + part.start for begin, part in zip(corner, inner, strict=True)]
        radius, angle, passed = (part[inner[0], inner[1]] for part in (radius, angle, passed))
        passed = passed * pointOp(radius, low, ramp)
    passed = passed * pointOp(radius, high, ramp - 1)
    filters = np.stack([passed * pointOp(angle, *_angular(number)) for number in range(ORIENTATIONS)])
    return (corner[0], corner[1]), torch.from_numpy(filters)


@lru_cache(maxsize=16)
def gaussian_weights(height: int, width: int, sigma: float) -> Tensor:
    """Returns (1, 1, height, width) weights of sum 1."""
    weights: Tensor = fspecial((height, width), sigma, 1)
    return weights


def _middle(side: int) -> slice:
    """Returns the lower half of the frequencies along one side."""
    half = math.ceil((side - 0.5) / 2)
    begin = math.ceil((side + 0.5) / 2) - math.ceil((half + 0.5) / 2)
    return slice(begin, begin + half)


def _angular(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the table of an angular filter: values, then angles."""
    angles = np.pi * np.arange(-(2 * TABLE + 1), TABLE + 2) / TABLE
    turned = (angles + np.pi) % (2 * np.pi) - np.pi
    order = ORIENTATIONS - 1
    size = 2**order * math.factorial(order) / math.sqrt(ORIENTATIONS * math.factorial(2 * order))
    values = 2 * size * np.cos(angles) ** order * (np.abs(turned) < np.pi / 2)
    return values, angles + np.pi * number / ORIENTATIONS
