"""GMSD: standard deviation of the similarity of gradient magnitudes.

Xue, Zhang, Mou, Bovik: Gradient magnitude similarity deviation: a highly efficient perceptual image quality index,
IEEE Transactions on Image Processing 23(2), 2014. https://doi.org/10.1109/TIP.2013.2293423
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.filters_adapter import FixedFilters
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.pixels_adapter import luma, rounded

PREWITT = ((1, 0, -1), (1, 0, -1), (1, 0, -1))
STABILITY = 170  # the paper's constant, for levels in 0...255


class Gmsd(FullReference):
    higher_is_better = False
    score_range = (0.0, 0.35)
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images"

    def score(self, images: Images, references: Images) -> Scores:
        x, y = slopes(images), slopes(references)
        similarity = (2 * (x * y).sqrt() + STABILITY) / (x + y + STABILITY)
        return similarity.flatten(1).std(dim=1)


def slopes(images: Images) -> Tensor:
    """Returns the (N, H / 2, W / 2) squared gradient magnitudes of the halved luma."""
    halved = finite_gradient(avg_pool2d(rounded(luma(images)), 2))
    across = halved.new_tensor(PREWITT) / 3
    with FixedFilters():
        both = conv2d(pad(halved, (1,) * 4), torch.stack([across, across.T]).unsqueeze(1))
    return both.square().sum(1) + 1e-12  # the root has no gradient at 0
