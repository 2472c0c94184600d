"""SSIM: structural similarity of the luma, in windows of 11 pixels.

Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity,
IEEE Transactions on Image Processing 13(4), 2004. https://doi.org/10.1109/TIP.2003.819861

It computes what pyiqa's `ssim` does, with a separable window, in a tenth of the time.
"""

import torch
from pyiqa.archs.func_util import preprocess_rgb
from torch import Tensor
from torch.nn.functional import conv2d

from metric_robustness.metrics.base import FullReference, Images, Scores

SIDE, SIGMA = 11, 1.5  # of the Gaussian window
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # the paper's constants


class Ssim(FullReference):
    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 11
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images"

    def score(self, images: Images, references: Images) -> Scores:
        return similarity(luma(images), luma(references))[0]


def luma(images: Images) -> Tensor:
    """Returns the (N, 1, H, W) float64 luma in [0, 255], rounded as in the authors' program (with gradient 1)."""
    rounded: Tensor = preprocess_rgb(images, True, 255)
    return rounded.double()  # variances are differences of large numbers: float32 is too coarse


def similarity(x: Tensor, y: Tensor) -> tuple[Scores, Scores]:
    """Returns the (N,) means of the SSIM map and of its contrast-structure part, for (N, 1, H, W) lumas in [0, 255]."""
    offsets = torch.arange(SIDE, dtype=x.dtype, device=x.device) - SIDE // 2
    window = torch.softmax(-(offsets**2) / (2 * SIGMA**2), dim=0).repeat(5, 1, 1, 1)
    maps = torch.cat([x, y, x * x, y * y, x * y], dim=1)
    maps = conv2d(conv2d(maps, window.transpose(2, 3), groups=5), window, groups=5)
    mean_x, mean_y, square_x, square_y, product = maps.unbind(1)
    covariance, variances = product - mean_x * mean_y, square_x - mean_x**2 + square_y - mean_y**2
    structure = ((2 * covariance + C2) / (variances + C2)).relu()
    ssim = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1) * structure
    return ssim.mean((1, 2)), structure.mean((1, 2))
