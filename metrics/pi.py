"""PI: the mean of NIQE and of what NRQM lacks of 10.

Blau, Mechrez, Timofte, Michaeli, Zelnik-Manor: The 2018 PIRM challenge on perceptual image super-resolution,
ECCV Workshops 2018. https://arxiv.org/abs/1809.07517

NRQM compares with thresholds and has no gradient, so only half of the metric would have one.
"""

from typing import Any, ClassVar

from pyiqa.utils.color_util import to_y_channel
from torch import Tensor

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.natural_scenes_adapter import distance, level_features, whole_patches
from metric_robustness.metrics.nrqm_adapter import Rating
from metric_robustness.metrics.pyiqa_adapter import build

BORDER = 4  # pixels that are left out, as in the challenge


class Pi(NoReference):
    """Computes what pyiqa does, on the luma of YCbCr."""

    model: ClassVar[str] = "pi"  # its name in pyiqa
    higher_is_better = False
    score_range = (2.0, 12.0)
    differentiable = False
    smallest = 128
    trained_on = "super-resolved images (Ma)"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "pyiqa's comparison with the authors' scores"
    weights = (
        "hub/pyiqa/NRQM_model.mat",
        "hub/pyiqa/niqe_modelparameters.mat",
    )

    mean: Tensor
    covariance: Tensor

    def __init__(self) -> None:
        super().__init__()
        theirs: Any = build(self.model, {}, self.weights)
        self.rating = Rating(theirs.nrqm)
        self.register_buffer("mean", theirs.niqe.mu_pris_param, persistent=False)
        self.register_buffer("covariance", theirs.niqe.cov_pris_param, persistent=False)

    def score(self, images: Images) -> Scores:
        levels = to_y_channel(images, 255, "ycbcr")[..., BORDER:-BORDER, BORDER:-BORDER].double()
        naturalness = distance(level_features(whole_patches(levels)), self.mean, self.covariance)
        scores: Scores = (10 - self.rating(levels) + naturalness) / 2
        return scores
