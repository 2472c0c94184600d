"""Shared by the entries that blur: kornia's Gaussian, with a gradient that costs what the blur costs."""

from __future__ import annotations

import torch
from kornia.filters import get_gaussian_kernel2d
from torch.nn.functional import conv2d, pad

from defences.base import Images


def blurred(images: Images, side: int, sigma: float) -> Images:
    """Returns images blurred by a Gaussian of side x side pixels, odd; the border is reflected.

    One convolution over all three channels, channels last: on a CPU the gradient of kornia's own `gaussian_blur2d`,
    which convolves each channel for itself, takes eleven times as long for 3x3 pixels and twice as long for 11x11.
    """
    window = get_gaussian_kernel2d(side, (sigma, sigma), device=images.device, dtype=images.dtype)
    kernel = torch.eye(3, device=images.device, dtype=images.dtype)[:, :, None, None] * window
    padded = pad(images, [side // 2] * 4, mode="reflect").contiguous(memory_format=torch.channels_last)
    return conv2d(padded, kernel.contiguous(memory_format=torch.channels_last)).contiguous()
