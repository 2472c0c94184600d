"""MAD's filters: the contrast that the eye sees at each frequency, and the bands whose statistics it compares.

Facts of the grids, such as where the zero frequency lies in images of odd size, are pyiqa's, whose scores these are.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from metric_robustness.metrics.window_moments_adapter import blocks

SCALES, ORIENTATIONS = 5, 4
FINEST, RATIO = 3, 3  # wavelength of the finest scale in pixels, and of one scale to the next
BANDWIDTH = 0.55
ANGULAR = math.pi / ORIENTATIONS / 1.5  # deviation of an orientation's angles
LEAST = 1e-12


@lru_cache(maxsize=4)
def sensitivity(height: int, width: int) -> Tensor:
    """Returns the eye's sensitivity to contrast at each frequency of `torch.fft.rfft2`, (H, W / 2 + 1)."""
    down, across = ((torch.arange(side).double() - (side - 1) / 2) * 64 / width for side in (height, width))
    angle = torch.atan2(down[:, None], across[None])
    radius = torch.hypot(down[:, None], across[None]) / (0.15 * (4 * angle).cos() + 0.85)
    curve = 2.6 * (0.0192 + 0.114 * radius) * (-((0.114 * radius) ** 1.1)).exp()
    curve = torch.where(radius < 7.8909, 0.9809, curve).float().double()
    curve = torch.fft.ifftshift(curve.T.reshape(height, width))  # of an image that isn't square, too
    turned = curve.flip(0, 1).roll((1, 1), (0, 1))
    kept: Tensor = (curve + turned)[:, : width // 2 + 1] / 2  # all that a real image keeps of it
    return kept


def band_blocks(spectrum: Tensor, orientation: int, scale: int) -> Tensor:
    """Returns what `blocks` says of the sizes of (N, C, H, W) images' responses to a log-Gabor filter."""
    scales, orientations = _log_gabor(spectrum.shape[2], spectrum.shape[3])
    sizes: Tensor = _Sizes.apply(spectrum, (scales[scale] * orientations[orientation]).to(spectrum.device))
    return blocks(sizes)


@lru_cache(maxsize=4)
def _log_gabor(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Returns the factors of the filters, (scales, H, W) and (orientations, H, W), zero frequency first."""
    down, across = (torch.arange(side).double() / (side / 2) - 1 for side in (height, width))
    radius = torch.hypot(down[:, None], across[None])
    radius[round(height / 2 + 1), round(width / 2 + 1)] = 1
    logs = (radius + LEAST).log()
    centres = [math.log(2 / (FINEST * RATIO**scale)) for scale in range(SCALES)]
    scales = torch.stack([(-((logs - centre) ** 2) / (2 * math.log(BANDWIDTH) ** 2)).exp() for centre in centres])
    scales[:, round(height / 2), round(width / 2)] = 0
    angle = torch.atan2(-down[:, None], across[None])
    turns = [angle - math.pi * number / ORIENTATIONS for number in range(ORIENTATIONS)]
    spreads = [(-(torch.atan2(turn.sin(), turn.cos()) ** 2) / (2 * ANGULAR**2)).exp() for turn in turns]
    return torch.fft.fftshift(scales, dim=(1, 2)), torch.fft.fftshift(torch.stack(spreads), dim=(1, 2))


class _Sizes(torch.autograd.Function):
    """Sizes of filtered images; keeps only the complex responses for the gradient."""

    @staticmethod
    def forward(context: Any, spectrum: Tensor, filter_: Tensor) -> Tensor:
        response = torch.fft.ifft2(spectrum * filter_)
        context.save_for_backward(response, filter_)
        return _sizes(response)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        response, filter_ = context.saved_tensors
        slopes = response * (gradients[0] / _sizes(response))
        return torch.fft.fft2(slopes, norm="forward").mul_(filter_), None


def _sizes(response: Tensor) -> Tensor:
    real, imaginary = response.real, response.imag
    return real.square().addcmul_(imaginary, imaginary).add_(LEAST).sqrt_()
