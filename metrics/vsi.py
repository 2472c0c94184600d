"""VSI: similarity of gradients and colour, weighted by visual saliency.

Zhang, Shen, Li: VSI: a visual saliency-induced index for perceptual image quality assessment,
IEEE Transactions on Image Processing 23(10), 2014. https://doi.org/10.1109/TIP.2014.2346028
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.filters_adapter import FixedFilters
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.saliency_adapter import Saliency

LMN = ((0.06, 0.63, 0.27), (0.30, 0.04, -0.35), (0.34, -0.60, 0.17))  # of RGB: luminance and two chrominances
SCHARR = ((-3, 0, 3), (-10, 0, 10), (-3, 0, 3))  # in 16ths
CONSTANTS = (1.27, 386, 130, 130)  # of the similarity of saliency, gradient and chrominances
ALPHA, BETA = 0.4, 0.02  # exponents of the gradient and of the chrominances
NOISE = 1e-7  # of squared gradients in float32: without it, a flat area would have the slope of a steep one
EPS = torch.finfo(torch.double).eps


class Vsi(FullReference):
    """Computes what pyiqa does, in float32, which changes scores by less than 2e-6."""

    higher_is_better = True
    score_range = (0.7, 1.0)
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images"

    def __init__(self) -> None:
        super().__init__()
        self.saliency = Saliency()

    def score(self, images: Images, references: Images) -> Scores:
        x, y = self.maps(finite_gradient(images)), self.maps(finite_gradient(references))
        constants = x.new_tensor(CONSTANTS).reshape(4, 1, 1)
        alike = (2 * x * y + constants) / (x.square() + y.square() + constants)
        saliency, gradient, *chrominances = alike.unbind(1)
        colour = chrominances[0] * chrominances[1]
        # The real part of a power of a negative number is that of its size, turned.
        turned = torch.where(colour < 0, math.cos(BETA * math.pi), 1.0)
        weights = torch.maximum(x[:, 0], y[:, 0])
        weighted = saliency * gradient**ALPHA * colour.abs() ** BETA * turned * weights
        return (weighted.sum((1, 2)) + EPS) / (weights.sum((1, 2)) + EPS)

    def maps(self, images: Images) -> Tensor:
        """Returns (N, 4, H, W) maps of saliency, gradient and chrominances, of about 256 pixels on the shorter side."""
        levels = conv2d(images, 255 * images.new_tensor(LMN).reshape(3, 3, 1, 1))
        maps = torch.cat([self.saliency(images), levels], dim=1)
        size = max(1, round(min(maps.shape[2:]) / 256))
        if size > 1:
            before, after = size // 2, (size - 1) // 2
            maps = avg_pool2d(pad(maps, (before, after, before, after), mode="replicate"), size)
        across = maps.new_tensor(SCHARR) / 16
        with FixedFilters():
            both = conv2d(pad(maps[:, 1:2], (1,) * 4), torch.stack([across, across.T]).unsqueeze(1))
        gradients = (both.square().sum(1, keepdim=True) + NOISE).sqrt()
        return torch.cat([maps[:, :1], gradients, maps[:, 2:]], dim=1)
