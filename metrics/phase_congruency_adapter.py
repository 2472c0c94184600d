"""Phase congruency: where the waves that make up an image agree in phase, whatever their contrast.

Kovesi: Image features from phase congruency, Videre 1(3), 1999. It computes what pyiqa does; filters and what noise
amounts to in them depend on the image's size alone.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from metric_robustness.metrics.frequencies_adapter import oriented

SCALES, ORIENTATIONS = 4, 4
DEVIATIONS = 2.0  # of noise above its mean, below which energy does not count
OVERESTIMATED = 1.7  # the authors' correction of that threshold
EPS = torch.finfo(torch.float32).eps


def congruency(levels: Tensor) -> Tensor:
    """Returns the (N, H, W) phase congruency of (N, H, W) luma in 0...255."""
    filters, thresholds = (part.to(levels) for part in _filters(levels.shape[1], levels.shape[2]))
    parts = [_energy(levels, *each) for each in zip(filters, thresholds, strict=True)]
    energies, amplitudes = zip(*parts, strict=True)
    return (torch.stack(energies).sum(0) + EPS) / (torch.stack(amplitudes).sum(0) + EPS)


def _energy(levels: Tensor, filters: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the energy above noise, and the amplitude, of one orientation, (N, H, W) each."""
    response = torch.fft.ifft2(torch.fft.fft2(levels).unsqueeze(1) * filters)
    even, odd = response.real, response.imag
    amplitudes = (even.square() + odd.square()).sqrt()
    sum_even, sum_odd = even.sum(1, keepdim=True), odd.sum(1, keepdim=True)
    size = (sum_even.square() + sum_odd.square()).sqrt() + EPS
    mean_even, mean_odd = sum_even / size, sum_odd / size
    agreeing = (even * mean_even + odd * mean_odd).sum(1)
    straying = (even * mean_odd - odd * mean_even).abs().sum(1)
    median = amplitudes[:, 0].flatten(1).square().median(dim=1).values
    noise = median.sqrt().reshape(-1, 1, 1) * threshold
    return (agreeing - straying - noise).relu(), amplitudes.sum(1)


@lru_cache(maxsize=2)
def _filters(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Returns log-Gabor filters, (orientations, scales, H, W), and thresholds in roots of median energy."""
    filters = oriented(height, width, SCALES, ORIENTATIONS)
    waves = torch.fft.ifft2(filters).real * math.sqrt(height * width)
    together = waves.sum(1).square().sum((1, 2))  # squares of all scales, and twice their products
    power = 2 * together / filters[:, 0].square().sum((1, 2)) / math.log(2)
    spread = (power / 2).sqrt()
    return filters, spread * (math.sqrt(math.pi / 2) + DEVIATIONS * math.sqrt(2 - math.pi / 2)) / OVERESTIMATED
