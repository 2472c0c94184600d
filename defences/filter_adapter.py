"""A Gaussian blur, row by row and column by column, for the defences that filter."""

from __future__ import annotations

from typing import Any

from kornia.filters import get_gaussian_kernel1d
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import pad

from metric_robustness.defences.base import Images

Window = list[float]  # weights of an odd number of neighbours, symmetric


def blurred(images: Images, side: int, sigma: float) -> Images:
    """Returns images blurred by a Gaussian; the border is reflected.

    It sums shifted images. On a CPU, kornia's convolution of each channel takes several times as long, and its gradient
    even longer.

    Args:
        images: (N, 3, H, W).
        side: Of the window in pixels, odd; the window's weights sum to 1.
        sigma: Of the Gaussian in pixels.
    """
    window: Window = get_gaussian_kernel1d(side, sigma)[0].tolist()
    padded = pad(images, [side // 2] * 4, mode="reflect")
    return _SymmetricFilter.apply(_SymmetricFilter.apply(padded, window, 2), window, 3)  # type: ignore[no-any-return]


class _SymmetricFilter(Function):
    """A filter whose gradient is the same filter, because its window is symmetric."""

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
    """Returns the weighted sums of neighbours along an axis, only where the image has all neighbours."""
    half, count = len(window) // 2, images.shape[axis] - len(window) + 1
    total = images.narrow(axis, half, count) * window[half]
    for i in range(half):
        pair = images.narrow(axis, i, count) + images.narrow(axis, len(window) - 1 - i, count)
        total.add_(pair, alpha=window[i])
    return total
