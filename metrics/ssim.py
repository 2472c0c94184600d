"""SSIM: structural similarity of the luma, in windows of 11 pixels.

Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity,
IEEE Transactions on Image Processing 13(4), 2004. https://doi.org/10.1109/TIP.2003.819861

It computes what pyiqa's `ssim` does, in float32 and with a separable window.
"""

import torch
from torch import Tensor

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.filters_adapter import gaussian, smooth
from metric_robustness.metrics.pixels_adapter import luma, rounded

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
        return similarity(rounded(luma(images)), rounded(luma(references)))[0]


def similarity(x: Tensor, y: Tensor) -> tuple[Scores, Scores]:
    """Returns the means of the SSIM map and of its contrast-structure part, both (N,).

    Float32 is enough, since similarity is computed as 1 less what the images differ by, and squares are taken of
    distances from the means of the whole images.

    Args:
        x: (N, C, H, W) levels in [0, 255].
        y: The levels of the references.
    """
    level_x, level_y = (levels.detach().mean((2, 3), keepdim=True) for levels in (x, y))
    x, y = x - level_x, y - level_y
    maps = torch.stack([x, y, (x - y).square(), x * x + y * y])
    mean_x, mean_y, error, energy = smooth(maps, gaussian(SIDE, SIGMA, maps)).unbind()
    gap = mean_x - mean_y
    structure = (1 - (error - gap.square()) / (energy - mean_x.square() - mean_y.square() + C2)).relu()
    brightness = (mean_x + level_x).square() + (mean_y + level_y).square()
    luminance = 1 - (gap + (level_x - level_y)).square() / (brightness + C1)
    return (luminance * structure).mean((1, 2, 3)), structure.mean((1, 2, 3))
