"""MAD's two halves: how visible a distortion is, and how far it changes the looks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from metric_robustness.metrics.mad_filters_adapter import ORIENTATIONS, SCALES, band_blocks, sensitivity
from metric_robustness.metrics.window_moments_adapter import blocks, statistics

LIGHTNESS, EXPONENT = 0.02874, 2.2 / 3  # from levels in 0...255 to what the eye sees
DARKEST, FAINTEST = 0.5, -5.0  # mean lightness, and logarithm of a contrast, below which nothing masks
WEIGHTS = (0.5 / 13.25, 0.75 / 13.25, 1 / 13.25, 5 / 13.25)  # of orientations, as in pyiqa; in the paper, of scales
LEAST = 1e-12


def detection(x: Tensor, y: Tensor) -> Tensor:
    """Returns how visible those differences are that reference y does not mask, (N, 3)."""
    size = (x.shape[2], x.shape[3])
    filter_ = sensitivity(*size).to(x)
    spectra = (torch.fft.rfft2(LIGHTNESS * (each.abs() + LEAST) ** EXPONENT) * filter_ for each in (x, y))
    seen, masking = (torch.fft.irfft2(spectrum, s=size) for spectrum in spectra)
    mean, spread, *_ = dealt(statistics(blocks(masking)))
    masked = -max_pool2d(-spread, 2, stride=1, padding=1)[..., :-1, :-1] / 2
    contrast, error = (
        ((each + LEAST) / (mean + LEAST)).abs().log() for each in (masked, dealt(statistics(blocks(seen - masking)))[1])
    )
    visible = (error - contrast.clamp(min=FAINTEST)).clamp(min=0).masked_fill(mean < DARKEST, 0)
    return 200 * root_mean_square(visible * statistics(blocks((x - y).square()))[0])


def appearance(x: Tensor, y: Tensor) -> Tensor:
    """Returns how far local statistics of log-Gabor bands are apart, (N, 3)."""
    spectra = [torch.fft.fft2(each) for each in (x, y)]
    total = torch.zeros(())
    for orientation in range(ORIENTATIONS):
        bands = [
            torch.stack([band_blocks(spectrum, orientation, scale) for scale in range(SCALES)]) for spectrum in spectra
        ]
        (_, *ours), (_, *theirs) = (statistics(band) for band in bands)
        spread, skewness, tails = ((one - other).abs().sum(0) for one, other in zip(ours, theirs, strict=True))
        total = total + WEIGHTS[orientation] * (spread + 2 * skewness + tails)
    return root_mean_square(*dealt((total,)))


def dealt(maps: Sequence[Tensor]) -> list[Tensor]:
    """Returns (N, 3, H, W) maps in pyiqa's order: it lists the windows' three colours, and cuts the list in thirds."""
    return [each.permute(0, 2, 3, 1).reshape(each.shape) for each in maps]


def root_mean_square(maps: Tensor) -> Tensor:
    """Returns (N, C) of (N, C, H, W) maps; 0 has the gradient 0."""
    length: Tensor = torch.linalg.vector_norm(maps, dim=(2, 3))
    return length / math.sqrt(maps.shape[2] * maps.shape[3])
