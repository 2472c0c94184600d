"""NRQM's global statistics: the bands of a steerable pyramid, normalised as Gaussian scale mixtures.

Moorthy, Bovik: Blind image quality assessment: from natural scene statistics to perceptual quality,
IEEE Transactions on Image Processing 20(12), 2011, from which NRQM's authors took them.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import torch
from pyiqa.matlab_utils import imresize
from torch import Tensor

from metric_robustness.metrics.filters_adapter import gaussian, smooth
from metric_robustness.metrics.nrqm_fits_adapter import shape
from metric_robustness.metrics.steerable_adapter import band_filters, high_pass

BANDS = 6  # orientations of a level
GUARD = 16  # pixels that are left out along the edges of the finest level
WINDOW, SIGMA = 11, 1.5  # of the comparison of structures
STABILITY = (0.03 * 255) ** 2
LEAST = 1e-12


def band_features(levels: Tensor) -> Tensor:
    """Returns the (N, 45) features of (N, 1, H, W) float64 levels in 0...255."""
    finest, fine, coarse = pyramid(levels[:, 0])
    whole = [normalised(fine, resized(coarse, fine.shape[2:]), GUARD), normalised(coarse, None, GUARD // 2)]
    flat = [band.flatten(2).transpose(1, 2) for band in whole]
    shapes = [shape(each) for each in (*flat, torch.cat(flat, dim=1))]
    maps = torch.cat([fine, resized(coarse, fine.shape[2:]), finest], dim=1)
    scales = [(band, 2 * BANDS) for band in range(2 * BANDS)]
    return torch.cat(
        [*shapes, structures(maps, scales), structures(whole[0], list(combinations(range(BANDS), 2)))], dim=1
    )


def pyramid(levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns what is finer than all bands, (N, 1, H, W), and the bands of two levels, (N, 6, h, w) each."""
    height, width = levels.shape[1:]
    spectrum = torch.fft.fftshift(torch.fft.fft2(levels), dim=(1, 2)).unsqueeze(1)
    bands = []
    for level in (1, 2):
        (top, left), filters = band_filters(height, width, level, BANDS)
        low = spectrum[..., top : top + filters.shape[1], left : left + filters.shape[2]]
        bands.append(_real(-1j * low * filters.to(levels)))
    return _real(spectrum * high_pass(height, width).to(levels)), bands[0], bands[1]


def _real(spectrum: Tensor) -> Tensor:
    maps: Tensor = torch.fft.ifft2(torch.fft.ifftshift(spectrum, dim=(2, 3))).real
    return maps


def normalised(bands: Tensor, parents: Tensor | None, guard: int) -> Tensor:
    """Returns (N, 6, h, w) bands divided by what their neighbourhood predicts, without edges and with mean 0.

    Neighbours are the 3x3 pixels of the band, the same pixel of the other bands, and that of the coarser level's band.
    """
    height, width = (side - 2 for side in bands.shape[2:])
    inner = bands[:, :, 1:-1, 1:-1]
    shifted = [bands[:, :, down : down + height, right : right + width] for down in range(3) for right in range(3)]
    found = []
    for band in range(BANDS):
        near = [each[:, band] for each in shifted]
        near += [] if parents is None else [parents[:, band, 1:-1, 1:-1]]
        count = len(near)
        near += [inner[:, other] for other in range(BANDS) if other != band]
        found.append(_energy(torch.stack(near, dim=1).flatten(2)) / count)
    energy = torch.stack(found, dim=1).sqrt()
    values = inner.flatten(2) - inner.flatten(2).mean(2, keepdim=True)
    maps = torch.where(energy > 0, values / (energy + LEAST), 0).reshape(*inner.shape)
    maps = maps[..., guard:-guard, guard:-guard]
    return maps - maps.mean((2, 3), keepdim=True)


def _energy(near: Tensor) -> Tensor:
    """Returns x' C^-1 x of each column x of (N, K, P) neighbours, where C is the mean of all x x'."""
    covariance = near @ near.transpose(1, 2) / near.shape[2]
    values, vectors = torch.linalg.eigh(covariance)
    scales = torch.where(values > 0, values, torch.inf).rsqrt()
    whitened: Tensor = (vectors * scales.unsqueeze(1)).transpose(1, 2) @ near
    return whitened.square().sum(1)


def structures(maps: Tensor, pairs: list[tuple[int, int]]) -> Tensor:
    """Returns SSIM's mean comparison of contrast and structure, at least 0, of pairs of (N, C, H, W) maps."""
    ones, others = (list(each) for each in zip(*pairs, strict=True))
    window = gaussian(WINDOW, SIGMA, maps)
    mean, square = smooth(maps, window), smooth(maps.square(), window)
    variance = square - mean.square()
    covariance = smooth(maps[:, ones] * maps[:, others], window) - mean[:, ones] * mean[:, others]
    compared = (2 * covariance + STABILITY) / (variance[:, ones] + variance[:, others] + STABILITY)
    return compared.clamp(min=0).mean((2, 3))


def resized(maps: Tensor, size: torch.Size) -> Tensor:
    """Returns (N, C, h, w) maps in another size, as MATLAB's `imresize` does."""
    down, across = (_resizing(before, after).to(maps) for before, after in zip(maps.shape[2:], size, strict=True))
    found: Tensor = down @ maps @ across.T
    return found


@lru_cache(maxsize=8)
def _resizing(before: int, after: int) -> Tensor:
    """Returns the (after, before) weights of pixels in those of the other size."""
    weights: Tensor = imresize(torch.eye(before), sizes=(after, before))
    return weights.double()
