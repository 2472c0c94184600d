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
CENTRE = 128  # is taken off first: squares of small numbers lose less to rounding


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

    Similarity is computed as 1 less what the images differ by, so that float32 is exact where they differ little.

    Args:
        x: (N, C, H, W) levels in [0, 255].
        y: The levels of the references.
    """
    x, y = x - CENTRE, y - CENTRE
    maps = torch.stack([x, y, (x - y).square(), x * x + y * y])
    mean_x, mean_y, error, energy = smooth(maps, gaussian(SIDE, SIGMA, maps)).unbind()
    gap = (mean_x - mean_y).square()
    structure = (1 - (error - gap) / (energy - mean_x.square() - mean_y.square() + C2)).relu()
    luminance = 1 - gap / ((mean_x + CENTRE).square() + (mean_y + CENTRE).square() + C1)
    return (luminance * structure).mean((1, 2, 3)), structure.mean((1, 2, 3))
