"""Mean, deviation, skewness and kurtosis of overlapping windows of 16x16 pixels, 4 pixels apart.

They are put together from those of blocks of 4x4, pair by pair, without large sums that nearly cancel:
Pébay: Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments,
Sandia report 2008-6212.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

SIDE, BLOCK = 16, 4  # of windows and of blocks, in pixels; windows begin at every block
LEAST = 1e-12  # is added to variances
Moments = tuple[Tensor, ...]  # mean, and sums of second to fourth powers of what deviates from it


def blocks(maps: Tensor) -> Tensor:
    """Returns mean and sums of second to fourth powers of the deviations in each block.

    Args:
        maps: (N, C, H, W); what is left of the last block is left out.

    Returns:
        (4, N, C, H / 4, W / 4).
    """
    moments: Tensor = _Blocks.apply(maps)
    return moments


def statistics(moments: Tensor) -> Moments:
    """Returns mean, deviation, skewness and kurtosis of the windows, (..., rows, columns) each.

    Args:
        moments: What `blocks` returned: moments first, rows and columns last.
    """
    whole: Moments = moments.unbind(-5)
    count = BLOCK**2
    for dimension in (-1, -2):
        for shift in (1, 2):
            length = whole[0].shape[dimension] - shift
            first = tuple(part.narrow(dimension, 0, length) for part in whole)
            whole = _together(first, tuple(part.narrow(dimension, shift, length) for part in whole), count)
            count *= 2
    mean, second, third, fourth = whole
    variance = second / count + LEAST
    deviation = variance.sqrt()
    return mean, deviation, third / count / (variance * deviation), fourth / count / variance.square() - 3


def _together(one: Moments, other: Moments, count: int) -> Moments:
    """Returns the moments of two sets of `count` values each."""
    half = (other[0] - one[0]) / 2
    square = half.square()
    second = one[1] + other[1]
    return (
        one[0] + half,
        second + 2 * count * square,
        one[2] + other[2] + 3 * half * (other[1] - one[1]),
        one[3] + other[3] + 4 * half * (other[2] - one[2]) + square * (6 * second + 2 * count * square),
    )


class _Blocks(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, maps: Tensor) -> Tensor:
        context.save_for_backward(maps)
        mean, deviations = _centred(maps)
        squares = deviations.square()
        second, third = _totals(squares), _totals(deviations.mul_(squares))
        return torch.stack([mean, second, third, _totals(squares.square_())])

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        (maps,) = context.saved_tensors
        _, deviations = _centred(maps)
        squares = deviations.square()
        mean, second, third, fourth = gradients[0]
        level = mean - 3 * third * _totals(squares) - 4 * fourth * _totals(squares * deviations)
        slopes = _spread(4 * fourth) * deviations
        slopes.add_(_spread(3 * third)).mul_(deviations).add_(_spread(2 * second)).mul_(deviations)
        slopes.add_(_spread(level / BLOCK**2))
        return pad(slopes.flatten(2, 3), (0, maps.shape[3] % BLOCK, 0, maps.shape[2] % BLOCK))


def _centred(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the (N, C, rows, columns) means of blocks, and the (N, C, rows, 4, W) deviations from them."""
    rows, columns = (side // BLOCK for side in maps.shape[2:])
    whole = maps[..., : rows * BLOCK, : columns * BLOCK]
    split = whole.reshape(*maps.shape[:2], rows, BLOCK, columns * BLOCK)
    mean = _totals(split) / BLOCK**2
    return mean, split - _spread(mean)


def _totals(values: Tensor) -> Tensor:
    """Returns the (N, C, rows, columns) sums of blocks of (N, C, rows, 4, W) values."""
    rows = values.sum(3)
    return rows.reshape(*rows.shape[:3], -1, BLOCK).sum(4)


def _spread(values: Tensor) -> Tensor:
    """Returns values of blocks for their pixels' columns, (N, C, rows, 1, W)."""
    return values.repeat_interleave(BLOCK, dim=3).unsqueeze(3)
