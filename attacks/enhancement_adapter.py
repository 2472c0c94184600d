"""What tools of enhancement do to images: equalise histograms, blur."""

from __future__ import annotations

import torch
from kornia.enhance import equalize_clahe
from kornia.filters import get_gaussian_kernel1d
from torch.nn.functional import pad

from metric_robustness.attacks.base import Images

TILES = 8  # of CLAHE along each side, as OpenCV's example has it
LEAST_TILE = 4  # pixels of a tile's side, below which a smaller number of tiles is taken


def equalized(images: Images, limit: float) -> Images:
    """Returns the images with the histograms of their tiles equalised, no level counted over `limit` times its share.

    Args:
        images: (N, 3, H, W) in [0, 1]; each channel has its own histograms.
        limit: 1 hardly changes an image; the larger it is, the flatter become the histograms.
    """
    tiles = [max(1, min(TILES, side // LEAST_TILE)) for side in images.shape[2:]]
    found: Images = equalize_clahe(images, limit, (tiles[0], tiles[1]))
    return found


def blurred(images: Images, sigma: float) -> Images:
    """Returns the images blurred by a Gaussian, cut at 3 sigma; the border repeats.

    It sums shifted images, so that an image's result does not depend on its batch.
    """
    reach = max(1, round(3 * sigma))
    weights: list[float] = get_gaussian_kernel1d(2 * reach + 1, sigma)[0].tolist()
    for axis, sides in ((2, [0, 0, reach, reach]), (3, [reach, reach, 0, 0])):
        size, padded = images.shape[axis], pad(images, sides, mode="replicate")
        images = torch.zeros_like(images)
        for at, weight in enumerate(weights):
            images.add_(padded.narrow(axis, at, size), alpha=weight)
    return images
