"""NIQE's natural scene statistics of patches, for its metrics and for the fit of its parameters."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from metric_robustness.metrics.base import Images
from metric_robustness.metrics.filters_adapter import gaussian, smooth
from metric_robustness.metrics.patch_fits_adapter import asymmetric_parts, split
from metric_robustness.metrics.pixels_adapter import luma as luma_of
from metric_robustness.metrics.pixels_adapter import rounded
from metric_robustness.metrics.window_adapter import gaussian_window

SIDE = 96  # of a patch, in pixels
TAPS = 8  # pixels that a halved pixel is made of, in each direction
RADIUS, SIGMA = 3, 7 / 6  # of the Gaussian window
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # rows down and columns right of a pixel; a patch is a torus


def luma(images: Images) -> Tensor:
    """Returns the (N, 1, H, W) float64 luma in 0...255: rounded (with gradient 1), cropped to whole patches."""
    return whole_patches(rounded(luma_of(images)))


def whole_patches(levels: Tensor) -> Tensor:
    """Returns (N, 1, H, W) levels in float64, cropped to whole patches."""
    height, width = (side // SIDE * SIDE for side in levels.shape[2:])
    return levels[..., :height, :width].double()


def patch_features(images: Images) -> Tensor:
    """Returns the (N, patches, 36) features, patches column by column; a flat patch has NaN."""
    return level_features(luma(images))


def level_features(full: Tensor) -> Tensor:
    """Returns the features of (N, 1, H, W) levels in 0...255 in whole patches."""
    half = halved(full / 255) * 255
    scales = (full, SIDE), (half, SIDE // 2)
    return torch.cat([structure_features(normalise(image), side) for image, side in scales], dim=2)


def halved(images: Tensor) -> Tensor:
    """Returns (N, 1, H, W) images at half their size, of even sides, as MATLAB's `imresize` makes them.

    Bicubic, mirrored at the edges; in float32, as pyiqa computes it, with the same bits.
    """
    found, beyond = images.float(), TAPS // 2 - 1
    weights = _bicubic().to(found).reshape(TAPS, 1, 1, 1)
    for axis in (2, 3):
        side = found.shape[axis]
        places = torch.arange(-beyond, side + beyond, device=found.device)
        mirrored = torch.where(places < 0, -1 - places, torch.minimum(places, 2 * side - 1 - places))
        parts = found.index_select(axis, mirrored).unfold(axis, TAPS, 2)  # (N, 1, H, W, taps), a view
        found = (parts.movedim(-1, 1) * weights).sum(1)
    return found.to(images)


def structure_features(structure: Tensor, side: int) -> Tensor:
    """Returns the (N, patches, 18) parameters of patches and of products with neighbours, patches column by column.

    Args:
        structure: Normalised images, (N, 1, H, W), in whole patches.
        side: Of a patch, in pixels.
    """
    patches = split(structure, side)
    products = [patches * patches.roll(shift, (3, 5)) for shift in NEIGHBOURS]
    shape, left, right, factor = asymmetric_parts(torch.cat([patches, *products], dim=1))
    left, right = left * factor, right * factor
    one, two = (torch.lgamma(order / shape) for order in (1, 2))
    mean = (right - left) * (two - one).exp()
    whole = torch.stack([shape[:, 0], (left[:, 0] + right[:, 0]) / 2], dim=1)
    fits = torch.cat([whole, torch.stack([shape, mean, left, right], dim=2)[:, 1:].flatten(1, 2)], dim=1)
    return fits.permute(0, 3, 2, 1).flatten(1, 2)


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the (N, 36) means and (N, 36, 36) covariances over the patches of each image.

    Means leave out NaN; covariances leave out patches with NaN. An image without any known value gets mean 0, which is
    farther from pristine images than any distortion.

    Args:
        features: (N, patches, 36).
    """
    known = ~features.isnan()
    whole = known.all(dim=2, keepdim=True).to(features.dtype)
    features = features.nan_to_num()
    mean = features.sum(1) / known.sum(1).clamp(min=1)
    count = whole.sum(1, keepdim=True)
    centred = whole * (features - (whole * features).sum(1, keepdim=True) / count.clamp(min=1))
    return mean, centred.transpose(1, 2) @ centred / (count - 1).clamp(min=1)


def distance(features: Tensor, pristine: Tensor, spread: Tensor) -> Tensor:
    """Returns the (N,) distances of (N, patches, 36) features from pristine ones, of a mean and covariance."""
    mean, covariance = moments(features)
    offset = (pristine - mean).unsqueeze(2)
    squared: Tensor = (offset * torch.linalg.solve((spread + covariance) / 2, offset)).sum((1, 2))
    return squared.sqrt()


def local_moments(
    image: Tensor, radius: int = RADIUS, sigma: float = SIGMA, around: str = "replicate"
) -> tuple[Tensor, Tensor]:
    """Returns mean and standard deviation in a Gaussian window around each pixel, (N, 1, H, W) each.

    Args:
        image: (N, 1, H, W).
        radius: Of the window, in pixels.
        sigma: Of the Gaussian, in pixels.
        around: What lies around the image, as `torch.nn.functional.pad` calls it.
    """
    window = _total(radius, sigma) ** 0.5 * gaussian(2 * radius + 1, sigma, image)
    maps = pad(torch.stack([image, image**2]).squeeze(2), (radius,) * 4, mode=around).unsqueeze(2)
    mean, square = smooth(maps, window)
    return mean, ((square - mean**2).abs() + torch.finfo(image.dtype).eps).sqrt()


def normalise(image: Tensor, radius: int = RADIUS, sigma: float = SIGMA, around: str = "replicate") -> Tensor:
    """Returns (N, 1, H, W) images less their local mean, divided by their local deviation plus 1."""
    mean, deviation = local_moments(image, radius, sigma, around)
    return (image - mean) / (deviation + 1)


@cache
def _bicubic() -> Tensor:
    """Returns the weights of the pixels around a halved pixel, (TAPS,), of sum 1."""
    distance = (torch.arange(TAPS) - (TAPS - 1) / 2).abs() / 2
    near, far = 1.5 * distance**3 - 2.5 * distance**2 + 1, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = torch.where(distance <= 1, near, far)
    return weights / weights.sum()


@cache
def _total(radius: int, sigma: float) -> float:
    """Returns the sum of pyiqa's window, about 1 + 1e-8, which gives all pixels of a flat area the same sign.

    With a sum of exactly 1, rounding would decide that sign and with it the score, and devices round differently.
    """
    total: float = gaussian_window(2 * radius + 1, 2 * radius + 1, sigma).double().sum().item()
    return total
