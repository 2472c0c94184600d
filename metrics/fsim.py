"""FSIMc: similarity of phase congruency, gradients and colour.

Zhang, Zhang, Mou, Zhang: FSIM: a feature similarity index for image quality assessment,
IEEE Transactions on Image Processing 20(8), 2011. https://doi.org/10.1109/TIP.2011.2109730
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.filters_adapter import FixedFilters
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.phase_congruency_adapter import congruency

YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))  # of RGB
SCHARR = ((-3, 0, 3), (-10, 0, 10), (-3, 0, 3))  # in 16ths
CONSTANTS = (0.85, 160, 200, 200)  # of the similarity of phase congruency, gradients and two colours
COLOUR = 0.03  # exponent of the similarity of colours
NOISE = torch.finfo(torch.float32).eps  # of squared gradients: without it, a flat area would have a steep slope


class Fsim(FullReference):
    higher_is_better = True
    score_range = (0.5, 1.0)
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images"

    def score(self, images: Images, references: Images) -> Scores:
        x, y = maps(images), maps(references)
        constants = x.new_tensor(CONSTANTS).reshape(4, 1, 1)
        alike = (2 * x * y + constants) / (x.square() + y.square() + constants)
        phase, gradient, *colours = alike.unbind(1)
        weights = torch.maximum(x[:, 0], y[:, 0])
        weighted = phase * gradient * (colours[0] * colours[1]).abs() ** COLOUR * weights
        return weighted.sum((1, 2)) / weights.sum((1, 2))


def maps(images: Images) -> Tensor:
    """Returns (N, 4, H, W) maps of phase congruency, gradient and two colours, of about 256 pixels on one side."""
    size = max(1, round(min(images.shape[2:]) / 256))
    images = finite_gradient(images)
    levels = conv2d(avg_pool2d(images, size) if size > 1 else images, 255 * images.new_tensor(YIQ).reshape(3, 3, 1, 1))
    across = levels.new_tensor(SCHARR) / 16
    with FixedFilters():
        both = conv2d(pad(levels[:, :1], (1,) * 4), torch.stack([across, across.T]).unsqueeze(1))
    gradients = (both.square().sum(1, keepdim=True) + NOISE).sqrt()
    return torch.cat([congruency(levels[:, 0]).unsqueeze(1), gradients, levels[:, 1:]], dim=1)
