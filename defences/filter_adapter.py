"""Shared by the entries that filter: one window for all channels, with a gradient that costs what filtering costs."""

from __future__ import annotations

import torch
from kornia.filters import get_gaussian_kernel2d
from torch import Tensor
from torch.nn.functional import conv2d, pad

from defences.base import Images


def filtered(images: Images, window: Tensor) -> Images:
    """Returns every channel filtered by a (side, side) window, side being odd; the border is reflected.

    One convolution over all three channels, channels last: on a CPU the gradient of kornia's own filters, which
    convolve each channel for itself, takes several times as long as the filtering.
    """
    kernel = torch.eye(3)[:, :, None, None] * window
    padded = pad(images, [len(window) // 2] * 4, mode="reflect").contiguous(memory_format=torch.channels_last)
    return conv2d(padded, kernel.to(images, memory_format=torch.channels_last)).contiguous()


def gaussian(side: int, sigma: float) -> Tensor:
    """Returns the (side, side) window of a Gaussian, which sums to 1."""
    return get_gaussian_kernel2d(side, (sigma, sigma))[0]
