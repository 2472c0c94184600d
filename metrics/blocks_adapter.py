"""Statistics of an image's square blocks, from sums over their columns that are taken once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import pad

from metric_robustness.metrics.window_adapter import gaussian_window

RADIUS, SIGMA = 3, 7 / 6  # of the Gaussian window of the local mean and deviation
Columns: TypeAlias = tuple[Tensor, Tensor]  # sums and sums of squares, (N, rows, columns, side) each


def mirrored(image: Tensor, side: int) -> Tensor:
    """Returns (N, C, H, W) images, each side longer by what `side` leaves of it: pixels of the edge mirrored."""
    for dimension in (2, 3):
        length = image.shape[dimension]
        places = torch.arange(length + length % side, device=image.device)
        image = image.index_select(dimension, torch.where(places < length, places, 2 * length - 1 - places))
    return image


def structure_of(levels: Tensor) -> Tensor:
    """Returns (N, C, H, W) levels less their local mean, divided by their local deviation plus 1, in float64.

    It rounds as PyTorch's convolution with the window does on a CPU, which takes twice the time; the mean of rows and
    then columns, which takes less, would round otherwise.
    """
    mean, square = (_smoothed(pad(maps, (RADIUS,) * 4, mode="replicate")) for maps in (levels, levels.square()))
    deviation_ = ((square - mean.square()).abs() + torch.finfo(levels.dtype).eps).sqrt()
    return ((levels - mean) / (deviation_ + 1)).double()


def _smoothed(maps: Tensor) -> Tensor:
    """Returns the weighted sums of the windows that lie inside."""
    height, width = (side - 2 * RADIUS for side in maps.shape[2:])
    total = maps.new_zeros(*maps.shape[:2], height, width)
    for down, weights in enumerate(gaussian_window(2 * RADIUS + 1, 2 * RADIUS + 1, SIGMA)[0, 0].tolist()):
        for right, weight in enumerate(weights):
            total.add_(maps[..., down : down + height, right : right + width], alpha=weight)
    return total


def columns(maps: Tensor, side: int) -> Columns:
    """Returns the sums over the columns of the whole blocks of (N, H, W) maps."""
    blocks = split(maps, side)
    return blocks.sum(2), blocks.square().sum(2)


def split(maps: Tensor, side: int) -> Tensor:
    """Returns the whole blocks of (N, H, W) maps, (N, rows, side, columns, side)."""
    height, width = (length // side for length in maps.shape[1:])
    return maps[:, : height * side, : width * side].reshape(len(maps), height, side, width, side)


def deviation(blocks: Columns, chosen: Sequence[int] | slice = slice(None)) -> Tensor:
    """Returns the standard deviation of each block, or of some of its columns, (N, rows, columns)."""
    sums, squares = (part[..., chosen] for part in blocks)
    count = blocks[0].shape[-1] * sums.shape[-1]
    return ((squares.sum(-1) - sums.sum(-1).square() / count) / (count - 1)).clamp(min=0).sqrt()


def even_edge(maps: Tensor, side: int, segment: int, least: float) -> Tensor:
    """Returns which blocks have a segment of an edge, of so many pixels, that deviates less: (N, rows, columns)."""
    blocks = split(maps, side)
    edges = torch.stack(
        [blocks[:, :, 0], blocks[:, :, -1], blocks[..., 0].transpose(2, 3), blocks[..., -1].transpose(2, 3)]
    )
    edges = edges - edges.mean(-1, keepdim=True)
    sums, squares = (_moving(part, segment) for part in (edges, edges.square()))
    variance = (squares - sums.square() / segment) / (segment - 1)
    return (variance < least**2).any(-1).any(0)


def _moving(values: Tensor, length: int) -> Tensor:
    """Returns the sums of `length` neighbours along the last dimension."""
    count = values.shape[-1] - length + 1
    return torch.stack([values[..., shift : shift + count] for shift in range(length)]).sum(0)
