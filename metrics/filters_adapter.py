"""A faster gradient of fixed filters on a CPU, for metrics that consist of such filters.

PyTorch's backward pass of a convolution of single channels takes several times as long as its forward pass. Filtering
the gradient with the turned filter gives the same result and is a forward pass.

A filter of rows and columns is quickest over a few maps at once, as channels that lie beside each other in memory: a
vector instruction then takes as many pixels as there are maps, and what one pass leaves is still in the cache for the
next.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.amp import is_autocast_available
from torch.nn.functional import conv2d, pad
from torch.overrides import TorchFunctionMode

AT_ONCE = 8  # maps that are filtered together on a CPU


def gaussian(side: int, sigma: float, like: Tensor) -> Tensor:
    """Returns a Gaussian window of sum 1, (side,), of the type and on the device of `like`."""
    offsets = torch.arange(side, dtype=torch.double, device=like.device) - (side - 1) / 2
    return torch.softmax(-(offsets**2) / (2 * sigma**2), dim=0).to(like)


def smooth(maps: Tensor, window: Tensor) -> Tensor:
    """Filters rows and columns with one window, where it lies inside.

    Args:
        maps: (..., H, W).
        window: (K,), without a gradient.

    Returns:
        (..., H - K + 1, W - K + 1).
    """
    smoothed: Tensor = _Smoothing.apply(maps, window)
    return smoothed


class FixedFilters(TorchFunctionMode):
    """A context in which plain convolutions of one channel with untrained weights have the fast gradient."""

    def __torch_function__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        if function is conv2d and (plain := _plain(*given, **(named or {}))):
            return _Filtering.apply(*plain)
        return function(*given, **(named or {}))


def _plain(  # noqa: PLR0917  # the arguments are those of conv2d
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Tensor, Tensor] | None:
    """Returns images and filter of a plain convolution: no bias, stride, padding, dilation or groups; else None."""
    usual = (bias, _both(stride), _both(padding), _both(dilation), groups) == (None, (1, 1), (0, 0), (1, 1), 1)
    fixed = images.device.type == "cpu" and weight.shape[1] == 1 and not weight.requires_grad
    return (images, weight) if usual and fixed else None


def _both(value: Any) -> Any:
    """Returns a setting as a pair, for rows and columns."""
    return (value, value) if isinstance(value, int) else value


class _Filtering(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, images: Tensor, weight: Tensor) -> Tensor:
        context.save_for_backward(weight)
        with _as_given(images.device.type):
            return conv2d(images, weight)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,), (weight,) = gradients, context.saved_tensors
        turned = weight.flip(2, 3).transpose(0, 1).to(gradient.dtype)
        height, width = weight.shape[2:]
        return conv2d(gradient, turned, padding=(height - 1, width - 1)), None


class _Smoothing(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, maps: Tensor, window: Tensor) -> Tensor:
        context.save_for_backward(window)
        planes = maps.flatten(0, -3)
        parts = torch.split(planes, AT_ONCE if maps.device.type == "cpu" else len(planes))
        with _as_given(maps.device.type):
            smoothed = torch.cat([_rows_and_columns(part, window) for part in parts])
        return smoothed.reshape(*maps.shape[:-2], *smoothed.shape[1:])

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (window,) = context.saved_tensors
        margin = len(window) - 1
        return smooth(pad(gradients[0], (margin,) * 4), window.flip(0)), None


def _as_given(device: str) -> AbstractContextManager[object]:
    """Returns a context in which PyTorch does not cast to bfloat16: a variance is a difference of nearly equal sums."""
    return torch.autocast(device, enabled=False) if is_autocast_available(device) else nullcontext()


def _rows_and_columns(planes: Tensor, window: Tensor) -> Tensor:
    """Filters (P, H, W) planes."""
    if planes.dtype == torch.double and planes.device.type == "cpu":  # PyTorch's own convolution takes thrice the time
        return _weighted_sum(_weighted_sum(planes, window, 1), window, 2)
    one = planes.unsqueeze(0).contiguous(memory_format=torch.channels_last)
    row = window.repeat(len(planes), 1, 1, 1)
    smoothed: Tensor = conv2d(conv2d(one, row.transpose(2, 3), groups=len(planes)), row, groups=len(planes))
    return smoothed.squeeze(0).contiguous()


def _weighted_sum(planes: Tensor, window: Tensor, dimension: int) -> Tensor:
    """Returns the sum of shifted planes."""
    length, (first, *others) = planes.shape[dimension] - len(window) + 1, window.tolist()
    total: Tensor = planes.narrow(dimension, 0, length) * first
    for shift, weight in enumerate(others, start=1):
        total.add_(planes.narrow(dimension, shift, length), alpha=weight)
    return total
