"""Gaussian scale mixtures, VIF's model of wavelet bands: what a distorted band keeps of the reference's information."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from metric_robustness.metrics.filters_adapter import FixedFilters

BLOCK = 3  # side of a vector of neighbouring coefficients
NOISE = 0.4  # variance of what the eye adds
LEAST = 1e-12  # least variance


def filtered(maps: Tensor, filters: Tensor, stride: int = 1) -> Tensor:
    """Returns correlations with filters of one channel; images are mirrored at their edges."""
    with FixedFilters():
        return conv2d(pad(maps, (filters.shape[-1] // 2,) * 4, mode="reflect"), filters, stride=stride)


def information(band: Tensor, reference: Tensor, window: int) -> Tensor:
    """Returns how much of a reference's information is kept in an image, and how much there was, (2, N)."""
    gain, noise = distortion(band, reference, window)
    energy, eigenvalues = statistics(reference.double())
    edge = -(-(window // 2) // BLOCK)  # windows that reach over the edge do not count
    gain, noise, energy = (
        part[..., edge : part.shape[2] - edge, edge : part.shape[3] - edge].unsqueeze(2)
        for part in (gain, noise, energy)
    )
    signal = energy * eigenvalues
    kept = (1 + gain.square() * signal / (noise + NOISE)).log2()
    return torch.stack([kept.sum((1, 2, 3, 4)), (1 + signal / NOISE).log2().sum((1, 2, 3, 4))])


def distortion(band: Tensor, reference: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Returns gain and noise variance of the distortion in each block, (N, 2, h / 3, w / 3) each."""
    maps = torch.stack([reference, band, reference * band, reference.square(), band.square()])
    padded = pad(maps.flatten(0, 1), (window // 2,) * 4, mode="reflect")[..., BLOCK // 2 :, BLOCK // 2 :]
    means = avg_pool2d(padded, window, stride=BLOCK)
    x, y, product, square_x, square_y = means.reshape(*maps.shape[:3], *means.shape[2:])
    covariance = (product - x * y) * window**2
    variance_x, variance_y = ((square_x - x.square()).relu() * window**2, (square_y - y.square()).relu() * window**2)
    gain = covariance / (variance_x + LEAST)
    noise = (variance_y - gain * covariance) / window**2
    flat_x, flat_y = variance_x < LEAST, variance_y < LEAST
    gain = gain.masked_fill(flat_x | flat_y, 0)
    noise = torch.where(flat_x | (gain < 0), variance_y, noise).masked_fill(flat_y, 0)
    return gain.relu(), noise.masked_fill(noise < LEAST, LEAST)


def statistics(band: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the energy of each block, (N, 2, h / 3, w / 3), and the eigenvalues of their covariance, (N, 2, 9, 1, 1).

    Energy is measured in units of the covariance of all 3x3 neighbourhoods of a band.
    """
    height, width = band.shape[2:]
    places = [(down, right) for down in range(BLOCK) for right in range(BLOCK)]
    less = BLOCK - 1
    near = torch.stack([band[..., y : height - less + y, x : width - less + x].flatten(2) for y, x in places], dim=2)
    mean = near.mean(3, keepdim=True)
    covariance = near @ near.transpose(2, 3) / near.shape[3] - mean @ mean.transpose(2, 3)
    blocks = torch.stack([band[..., y::BLOCK, x::BLOCK] for y, x in places], dim=2)
    energy = torch.linalg.pinv(covariance) @ blocks.flatten(3)
    energy = (energy * blocks.flatten(3)).mean(2).reshape(*blocks.shape[:2], *blocks.shape[3:])
    return energy, torch.linalg.eigvalsh(covariance)[..., None, None]
