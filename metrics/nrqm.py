"""NRQM: local frequencies, global statistics and singular values, rated by regression forests.

Ma, Yang, Yang, Yang: Learning a no-reference quality metric for single-image super-resolution,
Computer Vision and Image Understanding 158, 2017. https://arxiv.org/abs/1612.05890

The forests compare with thresholds, so there is no gradient.
"""

from typing import ClassVar

from pyiqa.utils.color_util import to_y_channel

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.nrqm_adapter import Rating
from metric_robustness.metrics.pyiqa_adapter import build


class Nrqm(NoReference):
    """Computes what pyiqa does."""

    model: ClassVar[str] = "nrqm"  # its name in pyiqa
    higher_is_better = True
    score_range = (0.0, 10.0)
    differentiable = False
    smallest = 64
    trained_on = "super-resolved images (Ma)"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "pyiqa's comparison with the authors' scores"
    weights = ("hub/pyiqa/NRQM_model.mat",)

    def __init__(self) -> None:
        super().__init__()
        self.rating = Rating(build(self.model, {}, self.weights))

    def score(self, images: Images) -> Scores:
        scores: Scores = self.rating(to_y_channel(images, 255).double())
        return scores
