"""NLPD: distance of normalised Laplacian pyramids.

Laparra, Balle, Berardino, Simoncelli: Perceptual image quality assessment using a normalized Laplacian pyramid,
Electronic Imaging 2016. https://doi.org/10.2352/ISSN.2470-1173.2016.16.HVEI-103
"""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.filters_adapter import FixedFilters
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.pixels_adapter import luma
from metric_robustness.metrics.pyramid_adapter import halving, sides, widening

LEVELS = 6
NEIGHBOURS = (  # of each level's divisor, finest first: weights of the pixel above, left, right and below
    (0.1015, 0.1460, 0.1493, 0.1011),
    (0.0837, 0.1846, 0.1986, 0.0757),
    (0.0467, 0.2243, 0.2138, 0.0477),
    (0, 0.2616, 0.2503, 0),
    (0, 0.2552, 0.2598, 0),
    (0, 0.0717, 0.2215, 0),
)
SIGMAS = (0.0248, 0.0185, 0.0179, 0.0191, 0.0220, 0.2782)  # constants of the divisors


class Nlpd(FullReference):
    higher_is_better = False
    score_range = (0.0, 1.0)
    smallest = 32
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images"

    def score(self, images: Images, references: Images) -> Scores:
        pairs = zip(pyramid(images), pyramid(references), strict=True)
        return torch.stack([(x - y).square().mean((1, 2, 3)).sqrt() for x, y in pairs]).mean(0)


def pyramid(images: Images) -> list[Tensor]:
    """Returns the (N, 1, h, w) levels of the normalised Laplacian pyramid, finest first."""
    low, levels = luma(finite_gradient(images)), []
    shapes = zip(*(pairwise(sides(side, LEVELS)) for side in low.shape[2:]), strict=True)
    for (height, half_height), (width, half_width) in shapes:
        lower = halving(height).to(low) @ low @ halving(width).to(low).T
        wide = widening(half_height, height).to(low) @ lower @ widening(half_width, width).to(low).T
        levels.append(low - wide)
        low = lower
    return [normalised(level, number) for number, level in enumerate([*levels, low])]


def normalised(level: Tensor, number: int) -> Tensor:
    """Returns a level divided by what its neighbours amount to."""
    above, left, right, below = NEIGHBOURS[number]
    weights = level.new_tensor(((0, above, 0), (left, 0, right), (0, below, 0)))
    with FixedFilters():
        around = conv2d(pad(level.abs(), (1,) * 4), weights.reshape(1, 1, 3, 3))
    return level / (SIGMAS[number] + around)
