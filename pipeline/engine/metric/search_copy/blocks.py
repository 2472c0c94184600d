"""Into which blocks of pixels the gradient of a convolution is cut, and what that saves.

A processor computes 16 channels at once, even where a gradient has the three of an image, and throws the others away.
In blocks of T x T pixels, each pixel of a block is a channel of its own (`block_convolution.py`), so that fewer are
thrown away, though the kernel of such a block is a little larger.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from torch import Tensor, nn

LANES = 16  # channels that a processor computes at once
FEW = 8  # channels of an image, and of what is made of it, at most
LARGEST = 16  # pixels: the side of a block, where the stride is not larger


class Blocks(NamedTuple):
    """Blocks of pixels, with the kernel that makes them; the same in both directions."""

    side: int  # in pixels; a multiple of the convolution's stride
    before: int  # places of the kernel for results before the block's own
    places: int  # of the kernel: one for each result that read a pixel of the block

    @classmethod
    def of(cls, layer: nn.Conv2d, side: int) -> Blocks:
        """Returns blocks of this side."""
        kernel, stride, padding = sizes(layer)
        before = (kernel - 1 - padding) // stride
        return cls(side, before, before + (side - 1 + padding) // stride + 1)

    def cost(self, channels: int) -> float:
        """Returns the multiplications for each pixel and each channel of what comes back."""
        return self.places**2 * _rounded_up(channels * self.side**2) / self.side**2


def best_blocks(layer: nn.Module) -> tuple[Blocks, float] | None:
    """Returns the blocks that cost least, and what part of the multiplications they save; None if they save nothing.

    Args:
        layer: Any module: none but a plain convolution of few channels, on a processor, has blocks.
    """
    if type(layer) is not nn.Conv2d or layer.in_channels > FEW or layer.weight.device.type != "cpu":
        return None
    square = all(len(set(size)) == 1 for size in (layer.kernel_size, layer.stride, layer.padding))  # no word: "same"
    if not square or layer.groups > 1 or layer.dilation != (1, 1) or layer.padding_mode != "zeros":
        return None
    kernel, stride, padding = sizes(layer)
    if not padding < kernel > 1 or layer._forward_hooks or layer._forward_pre_hooks:
        return None
    sides = range(stride, max(stride, LARGEST) + 1, stride)
    best = min((Blocks.of(layer, side) for side in sides), key=lambda blocks: blocks.cost(layer.in_channels))
    saved = 1 - best.cost(layer.in_channels) * stride**2 / (kernel**2 * _rounded_up(layer.in_channels))
    return (best, saved) if saved > 0 else None


def wasteful(layer: nn.Conv2d, results: Tensor) -> int:
    """Returns the multiplications of a gradient that is not cut into blocks, with those that are thrown away.

    Args:
        layer: The convolution.
        results: What it made in the pass forward, (N, O, h, w).
    """
    return results.numel() * layer.weight[0, 0].numel() * _rounded_up(layer.in_channels)


def sizes(layer: nn.Conv2d) -> tuple[int, int, int]:
    """Returns the kernel's size, the stride and the padding of a convolution that has the same in both directions."""
    return layer.kernel_size[0], layer.stride[0], int(layer.padding[0])


def _rounded_up(channels: int) -> int:
    return LANES * ceil(channels / LANES)
