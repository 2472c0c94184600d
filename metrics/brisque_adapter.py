"""The natural scene statistics of whole images that BRISQUE rates: fits to the image and to products of neighbours."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from metric_robustness.metrics.patch_fits_adapter import asymmetric_parts, grid, half_deviations
from metric_robustness.metrics.pyramid_adapter import halving

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (-1, 1))  # rows down and columns right of a pixel; the image is a torus
TAPS = 8  # pixels that a halved pixel is made of, in each direction


def as_patch(maps: Tensor) -> Tensor:
    """Returns (N, C, H, W) maps as patches of one row and one column, as `patch_fits_adapter` takes them."""
    return maps[:, :, None, :, None]


def symmetric(image: Tensor) -> Tensor:
    """Returns shape, without a gradient, and variance of a generalised Gaussian for (N, 1, H, W) images, (N, 2)."""
    spread = half_deviations(as_patch(image.detach()))[2].flatten()
    shapes, _, _ = grid()
    nearest = torch.searchsorted(_between().to(spread), spread)
    return torch.stack([shapes.to(spread)[nearest], image.square().mean((1, 2, 3))], dim=1)


def products(image: Tensor) -> tuple[Tensor, ...]:
    """Fits asymmetric generalised Gaussians to products of neighbours in (N, 1, H, W) images.

    Returns:
        Shape, mean, left and right deviation, and scale / deviation, (N, 4) each; only mean and deviations have
        gradients.
    """
    maps = torch.cat([image * image.roll(shift, (2, 3)) for shift in NEIGHBOURS], dim=1)
    shape, left, right, factor = (part.flatten(1) for part in asymmetric_parts(as_patch(maps)))
    one, two = (torch.lgamma(order / shape) for order in (1, 2))
    return shape, (right - left) * factor * (two - one).exp(), left, right, factor


def interleaved(*parts: Tensor) -> Tensor:
    """Returns (N, 4) parts as (N, 4 * parts), those of one neighbour together."""
    return torch.stack(parts, dim=2).flatten(1)


def halve(image: Tensor) -> Tensor:
    """Returns (N, C, H / 2, W / 2) images, rounded up, as MATLAB's `imresize` does: bicubic, mirrored at the edges."""
    down, across = (halving(side, _bicubic()).to(image) for side in image.shape[2:])
    return down @ image @ across.T


@lru_cache(maxsize=1)
def _bicubic() -> tuple[float, ...]:
    distance = ((torch.arange(TAPS).double() - (TAPS - 1) / 2) / 2).abs()
    near, far = 1.5 * distance**3 - 2.5 * distance**2 + 1, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = torch.where(distance <= 1, near, far)
    return tuple((weights / weights.sum()).tolist())


@lru_cache(maxsize=1)
def _between() -> Tensor:
    """Returns the bounds of E[|x|]^2 / E[x^2] between shapes of the grid, halfway on the scale of its inverse."""
    shapes, _, _ = grid()
    one, two, three = (torch.lgamma(order / shapes) for order in (1, 2, 3))
    inverse = (one + three - 2 * two).exp()
    return 2 / (inverse[1:] + inverse[:-1])
