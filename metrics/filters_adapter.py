"""A faster gradient of fixed filters on a CPU, for metrics that consist of such filters.

PyTorch's backward pass of a convolution of single channels takes several times as long as its forward pass. Filtering
the gradient with the turned filter gives the same result and is a forward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d
from torch.overrides import TorchFunctionMode


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
        return conv2d(images, weight)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,), (weight,) = gradients, context.saved_tensors
        turned = weight.flip(2, 3).transpose(0, 1).to(gradient.dtype)
        height, width = weight.shape[2:]
        return conv2d(gradient, turned, padding=(height - 1, width - 1)), None
