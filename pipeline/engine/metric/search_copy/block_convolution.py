"""A convolution of few channels whose gradient is made block by block of pixels.

With stride s, padding p and kernel w, the pixel a of block i, in each direction, is the sum over u of
g[(T / s) i + u] w[a + p - s u], where T is the side of a block and g what comes back: a convolution with stride T / s,
the sub-pixel convolution of Shi et al., Is the deconvolution layer the same as a convolutional layer?, 2016.
https://arxiv.org/abs/1609.07009
"""

from __future__ import annotations

import copy
from math import ceil
from typing import Any, NamedTuple, cast

import torch
from torch import Size, Tensor, nn
from torch.nn.functional import conv2d

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.engine.metric.search_copy.blocks import Blocks, best_blocks, sizes


def in_blocks(layer: nn.Module) -> nn.Module:
    """Returns a convolution whose gradient is made in blocks; the layer itself where they save nothing."""
    found = best_blocks(layer)
    return BlockConvolution(cast(nn.Conv2d, layer), found[0]) if found else layer


class BlockConvolution(nn.Conv2d):
    """A convolution with the results of another one, whose gradient is made in blocks.

    Args:
        layer: The other one, whose weights it copies.
        blocks: How its gradient is made.
    """

    kernel: Tensor  # (T * T * C, O, places, places)

    def __init__(self, layer: nn.Conv2d, blocks: Blocks) -> None:
        facts: dict[str, Any] = {"bias": layer.bias is not None, "device": "meta"}
        super().__init__(layer.in_channels, layer.out_channels, *sizes(layer), **facts)
        self.weight, self.bias = copy.deepcopy((layer.weight, layer.bias))  # which the copy lays out for itself
        self.train(layer.training)
        self.blocks = blocks
        self.register_buffer("kernel", _block_kernel(layer, blocks), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Returns what the convolution returns."""
        if not torch.is_grad_enabled() or not input.requires_grad or input.dim() < 4:
            return super().forward(input)
        convolved: Tensor = _Convolution.apply(self, input)
        return convolved

    def gradient(self, slope: Tensor, size: Size) -> Images:
        """Returns the gradient at what was read.

        Args:
            slope: The gradient at the results, (N, O, h, w).
            size: Of what was read, (N, C, H, W).
        """
        side, stride = self.blocks.side, self.blocks.side // self.stride[0]
        down, across = (_Way.of(self.blocks, stride, *each) for each in zip(size[2:], slope.shape[2:], strict=True))
        made = conv2d(slope, self.kernel.to(slope.dtype), stride=stride, padding=(down.padding, across.padding))
        blocks = made[:, :, down.kept, across.kept].reshape(len(slope), side, side, -1, down.number, across.number)
        pixels = blocks.permute(0, 3, 4, 1, 5, 2).reshape(*size[:2], side * down.number, side * across.number)
        return pixels[..., : size[2], : size[3]]


class _Way(NamedTuple):
    """The blocks along one direction."""

    number: int
    padding: int  # on both sides of what comes back, so large that there may be blocks too many
    kept: slice

    @classmethod
    def of(cls, blocks: Blocks, stride: int, read: int, made: int) -> _Way:
        """Returns the blocks that cover so many pixels, made from so many results."""
        number = ceil(read / blocks.side)
        after = stride * (number - 1) + blocks.places - blocks.before - made
        skipped = max(0, ceil((after - blocks.before) / stride))
        return cls(number, blocks.before + stride * skipped, slice(skipped, skipped + number))


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layer: BlockConvolution, images: Images) -> Tensor:
        ctx.layer, ctx.size, ctx.dtype = layer, images.shape, images.dtype
        return conv2d(images, layer.weight, layer.bias, layer.stride, layer.padding)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[None, Tensor]:
        layer: BlockConvolution = ctx.layer
        return None, layer.gradient(slopes[0], ctx.size).to(ctx.dtype)


def _block_kernel(layer: nn.Conv2d, blocks: Blocks) -> Tensor:
    """Returns the weights that make a block: [a, b, c, o, u, v] is w[o, c, a + p - s u, b + p - s v], or 0 outside."""
    kernel, stride, padding = sizes(layer)
    moved = stride * (torch.arange(blocks.places) - blocks.before)
    places = torch.arange(blocks.side)[:, None] + padding - moved  # (a, u)
    inside = ((places >= 0) & (places < kernel)).to(layer.weight)
    places = places.clamp(0, kernel - 1)
    rows = layer.weight.detach()[:, :, places] * inside[..., None]  # (o, c, a, u, k)
    spread = rows[..., places] * inside  # (o, c, a, u, b, v)
    return spread.permute(2, 4, 1, 0, 3, 5).flatten(0, 2).contiguous(memory_format=torch.channels_last)
