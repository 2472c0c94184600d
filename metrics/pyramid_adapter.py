"""Halving and doubling of images as products with matrices: one for rows, one for columns.

Such a product takes less time than a convolution of a single channel, and its gradient is a product again.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

BURT = (0.05, 0.25, 0.4, 0.25, 0.05)  # filter of the Laplacian pyramid of Burt and Adelson


def sides(side: int, levels: int) -> list[int]:
    """Returns the side of each level of a pyramid, finest first."""
    return [-(-side // 2**level) for level in range(levels)]


@lru_cache(maxsize=32)
def halving(side: int, taps: tuple[float, ...] = BURT) -> Tensor:
    """Returns the (side / 2, side) weights of pixels in filtered pixels, every second one; edges are mirrored."""
    count = -(-side // 2)
    pixels = 2 * torch.arange(count).unsqueeze(1) + torch.arange(len(taps)) - (len(taps) - 1) // 2
    mirrored = torch.where(pixels < 0, -1 - pixels, torch.where(pixels < side, pixels, 2 * side - 1 - pixels))
    matrix = torch.zeros(count, side, dtype=torch.double)
    return matrix.scatter_add_(1, mirrored, torch.tensor(taps, dtype=torch.double).expand(count, -1))


@lru_cache(maxsize=32)
def widening(half: int, side: int) -> Tensor:
    """Returns the (side, half) weights of pixels in an image of twice the size; pixels of the edges are repeated."""
    matrix = torch.zeros(side, half + 2, dtype=torch.double)
    for place in range(side):
        for shift, weight in enumerate(BURT, start=-2):
            if (place + shift) % 2 == 0:
                matrix[place, (place + shift) // 2 + 1] += 2 * weight
    matrix[:, 1] += matrix[:, 0]
    matrix[:, -2] += matrix[:, -1]
    return matrix[:, 1:-1].contiguous()
