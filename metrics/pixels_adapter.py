"""What metrics make of pixels: luma, whole levels, mean squared errors; each with a gradient of one pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from metric_robustness.metrics.base import Images, Scores

WEIGHTS = (0.299, 0.587, 0.114)  # of red, green and blue
SINGLE = tuple(torch.tensor(WEIGHTS).tolist())  # rounded to float32 first, as in pyiqa
LEAST = 1e-8  # is added to mean squared errors, as pyiqa does: a PSNR is at most 80 dB


def luma(images: Images) -> Tensor:
    """Returns the (N, 1, H, W) luma of (N, 3, H, W) images, with the bits of pyiqa's product on one thread or several.

    A convolution adds before it rounds where it has several threads, and then takes ten times as long.
    """
    weighted: Tensor = _Luma.apply(images)
    return weighted


def rounded(values: Tensor) -> Tensor:
    """Returns values in [0, 1] as whole levels in 0...255, as authors' programs do, with gradient 255."""
    levels: Tensor = _Rounding.apply(values)
    return levels


def mean_square(x: Tensor, y: Tensor) -> Tensor:
    """Returns the (N,) mean squared errors of (N, C, H, W) values."""
    errors: Tensor = _MeanSquare.apply(x, y)
    return errors


def decibels(errors: Tensor) -> Scores:
    """Returns the PSNR of mean squared errors of values in [0, 1]."""
    return -10 * (errors + LEAST).log10()


class _Luma(torch.autograd.Function):
    @staticmethod
    def forward(context: object, images: Tensor) -> Tensor:
        channels = images.chunk(3, dim=1)
        red, green, blue = (channel * weight for channel, weight in zip(channels, SINGLE, strict=True))
        luma: Tensor = red.add_(green).add_(blue)
        return luma

    @staticmethod
    def backward(context: object, *gradients: Tensor) -> Tensor:
        return gradients[0] * _weights(gradients[0])


def _weights(like: Tensor) -> Tensor:
    return torch.tensor(WEIGHTS).to(like).reshape(1, 3, 1, 1)


class _Rounding(torch.autograd.Function):
    @staticmethod
    def forward(context: object, values: Tensor) -> Tensor:
        return (values * 255).round_()

    @staticmethod
    def backward(context: object, *gradients: Tensor) -> Tensor:
        return gradients[0] * 255


class _MeanSquare(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, y: Tensor) -> Tensor:
        context.save_for_backward(x, y)
        return mse_loss(x, y, reduction="none").mean((1, 2, 3))

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None]:
        x, y = context.saved_tensors
        slopes = (x - y) * (gradients[0] * 2 / x[0].numel()).reshape(-1, 1, 1, 1)
        return slopes, -slopes if context.needs_input_grad[1] else None
