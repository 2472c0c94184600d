"""The bands of a complex steerable pyramid, as filters of the lowest frequencies of an image."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metric_robustness.metrics.window_adapter import gaussian_window

TABLE = 1024  # steps of half a turn in the table of angular filters
STEPS = 256  # of the table of radial filters
Grid: TypeAlias = NDArray[np.float64]


@lru_cache(maxsize=16)
def band_filters(height: int, width: int, level: int, orientations: int) -> tuple[tuple[int, int], Tensor]:
    """Returns where the frequencies of a level begin in a spectrum with zero in the middle, and its filters.

    They are those of `pyiqa.matlab_utils.SCFpyr_PyTorch`, without its factor (-i)^(orientations - 1).

    Args:
        height: Of the image, in pixels.
        width: The same.
        level: 1 for the finest.
        orientations: How many filters, (orientations, h, w), there are.
    """
    radius, angle = _polar(height, width)
    ramp, high = _radial()
    low = np.sqrt(1 - high**2)
    passed = np.interp(radius, ramp, low)
    corner = [0, 0]
    for _ in range(level - 1):
        ramp = ramp - 1
        inner = [_middle(side) for side in radius.shape]
        corner = [begin + part.start for begin, part in zip(corner, inner, strict=True)]
        radius, angle, passed = (part[inner[0], inner[1]] for part in (radius, angle, passed))
        passed = passed * np.interp(radius, ramp, low)
    passed = passed * np.interp(radius, ramp - 1, high)
    filters = np.stack([passed * np.interp(angle, *_angular(number, orientations)) for number in range(orientations)])
    return (corner[0], corner[1]), torch.from_numpy(filters)


@lru_cache(maxsize=16)
def high_pass(height: int, width: int) -> Tensor:
    """Returns the (height, width) filter of what is finer than all bands, zero frequency in the middle."""
    return torch.from_numpy(np.interp(_polar(height, width)[0], *_radial()))


@lru_cache(maxsize=16)
def gaussian_weights(height: int, width: int, sigma: float) -> Tensor:
    """Returns (1, 1, height, width) weights of sum 1."""
    return gaussian_window(height, width, sigma)


def _polar(height: int, width: int) -> tuple[Grid, Grid]:
    """Returns the binary logarithms of the frequencies, (H, W), of which 1 is the highest, and their angles."""
    across, down = np.meshgrid(_frequencies(width), _frequencies(height))
    radius = np.sqrt(across**2 + down**2)
    radius[height // 2, width // 2] = radius[height // 2, width // 2 - 1]  # the mean has no logarithm
    return np.log2(radius), np.arctan2(down, across)


def _frequencies(side: int) -> Grid:
    """Returns the frequencies along one side, of which 1 is the highest; an even side has it on one end only."""
    highest = side // 2 / (side / 2)
    return np.linspace(-highest, highest - (1 - side % 2) * 2 / side, side)


def _radial() -> tuple[Grid, Grid]:
    """Returns the table of the radial high-pass over an octave: logarithms of frequencies, and values."""
    angles = np.pi / 2 * np.arange(-STEPS - 1, 2) / STEPS
    values = np.abs(np.cos(angles))
    values[0], values[-1] = values[1], values[-2]
    return 2 / np.pi * (angles + np.pi / 4) - 0.5, values


def _middle(side: int) -> slice:
    """Returns the lower half of the frequencies along one side."""
    half = math.ceil((side - 0.5) / 2)
    begin = math.ceil((side + 0.5) / 2) - math.ceil((half + 0.5) / 2)
    return slice(begin, begin + half)


def _angular(number: int, orientations: int) -> tuple[Grid, Grid]:
    """Returns the table of an angular filter: angles, and values."""
    angles = np.pi * np.arange(-(2 * TABLE + 1), TABLE + 2) / TABLE
    turned = (angles + np.pi) % (2 * np.pi) - np.pi
    order = orientations - 1
    size = 2**order * math.factorial(order) / math.sqrt(orientations * math.factorial(2 * order))
    values = 2 * size * np.cos(angles) ** order * (np.abs(turned) < np.pi / 2)
    return angles + np.pi * number / orientations, values
