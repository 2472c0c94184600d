"""Shared by the entries that filter: a Gaussian, row by row and column by column."""

from __future__ import annotations

from typing import Any

from kornia.filters import get_gaussian_kernel1d
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import pad

from defences.base import Images

Window = list[float]  # weights of an odd number of neighbours, the same from both ends


def blurred(images: Images, side: int, sigma: float) -> Images:
    """Returns images blurred by a Gaussian, whose window of (side, side) pixels sums to 1; the border is reflected.

    A sum of shifted images instead of a convolution, which on a CPU takes several times as long: kornia's, of every
    channel for itself, and its gradient even more so.
    """
    window: Window = get_gaussian_kernel1d(side, sigma)[0].tolist()
    padded = pad(images, [side // 2] * 4, mode="reflect")
    return _Filtering.apply(_Filtering.apply(padded, window, 2), window, 3)  # type: ignore[no-any-return]


class _Filtering(Function):
    """The gradient of a filtering with a symmetric window is a filtering with the same one."""

    @staticmethod
    def forward(context: Any, images: Images, window: Window, axis: int) -> Images:
        context.window, context.axis = window, axis
        return _filtered(images, window, axis)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        reach = len(context.window) - 1
        padding = [0, 0, reach, reach] if context.axis == 2 else [reach, reach]
        return _filtered(pad(gradients[0], padding), context.window, context.axis), None, None


def _filtered(images: Images, window: Window, axis: int) -> Images:
    """Returns the weighted sums of neighbours along an axis, as far as all of them are there."""
    half, count = len(window) // 2, images.shape[axis] - len(window) + 1
    total = images.narrow(axis, half, count) * window[half]
    for i in range(half):
        pair = images.narrow(axis, i, count) + images.narrow(axis, len(window) - 1 - i, count)
        total.add_(pair, alpha=window[i])
    return total
