"""VIF: visual information fidelity, in the wavelet domain.

Sheikh, Bovik: Image information and visual quality, IEEE Transactions on Image Processing 15(2), 2006.
https://doi.org/10.1109/TIP.2005.859378
"""

from typing import Any

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.filters_adapter import FixedFilters
from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Vif(PyiqaFullReference):
    """Computes the statistics of the reference in float64, and scores a flat reference.

    A flat reference holds no information, and pyiqa's 0 / 0 is 0. Here an image as flat has kept all that there was and
    scores 1, as every other image against itself; any other keeps pyiqa's 0. VIF does not see the level of either.

    The statistics invert nearly singular covariances of neighbouring coefficients. In float32, the rounding of sums
    depends on the batch size and changes the score by 4e-5.
    """

    model = "vif"
    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 33
    trained_on = "nothing"
    verified = "the authors' scores of 5 images; a flat image against itself is 1, and 0 in pyiqa"

    def __init__(self) -> None:
        super().__init__()
        network: Any = self.net
        statistics = network.refparams_vecgsm

        def in_float64(bands: list[Tensor]) -> Any:
            return statistics([band.double() for band in bands])

        network.refparams_vecgsm = in_float64

    def score(self, images: Images, references: Images) -> Scores:
        with FixedFilters():
            scores = super().score(images, references)
        return torch.where(_flat(references), _flat(images).to(scores), scores)


def _flat(images: Images) -> Tensor:
    """Tells which images have one colour, (N,)."""
    return images.amax(dim=(2, 3)).eq(images.amin(dim=(2, 3))).all(dim=1)
