"""VIF: visual information fidelity, in the wavelet domain.

Sheikh, Bovik: Image information and visual quality, IEEE Transactions on Image Processing 15(2), 2006.
https://doi.org/10.1109/TIP.2005.859378
"""

import torch
from torch import Tensor

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.pixels_adapter import luma, rounded
from metric_robustness.metrics.scale_mixtures_adapter import BLOCK, LEAST, filtered, information
from metric_robustness.metrics.sp5_adapter import sp5_filters

HEIGHT = 4  # levels of the pyramid


class Vif(FullReference):
    """Computes the statistics of the reference in float64, and scores a flat reference.

    A flat reference holds no information, and pyiqa's 0 / 0 is 0. Here an image as flat has kept all that there was and
    scores 1, as every other image against itself; any other keeps pyiqa's 0. VIF does not see the level of either.

    The statistics invert nearly singular covariances of neighbouring coefficients. In float32, the rounding of sums
    depends on the batch size and changes the score by 4e-5.
    """

    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 33
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images; a flat image against itself is 1, and 0 in pyiqa"

    first: Tensor  # (1, 1, 5, 5), before the finest level
    lower: Tensor  # (1, 1, 9, 9), between two levels
    oriented: Tensor  # (2, 1, 7, 7)

    def __init__(self) -> None:
        super().__init__()
        for name, value in sp5_filters().items():
            self.register_buffer(name, value.contiguous(), persistent=False)

    def score(self, images: Images, references: Images) -> Scores:
        pairs = zip(self.bands(images), self.bands(references), strict=True)
        parts = [information(*pair, 2 ** (HEIGHT - level) + 1) for level, pair in enumerate(pairs)]
        kept, there = torch.stack(parts).sum(0).unbind()
        return torch.where(_flat(references), _flat(images).to(kept), kept / (there + LEAST))

    def bands(self, images: Images) -> list[Tensor]:
        """Returns the (N, 2, h, w) bands of a steerable pyramid, finest level first, in whole blocks."""
        low, bands = filtered(rounded(luma(finite_gradient(images))), self.first), []
        for _ in range(HEIGHT):
            band = filtered(low, self.oriented)
            height, width = (side // BLOCK * BLOCK for side in band.shape[2:])
            bands.append(band[..., :height, :width])
            low = filtered(low, self.lower, stride=2)
        return bands


def _flat(images: Images) -> Tensor:
    """Tells which images have one colour, (N,)."""
    return images.amax(dim=(2, 3)).eq(images.amin(dim=(2, 3))).all(dim=1)
