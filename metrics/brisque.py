"""BRISQUE: natural scene statistics of the luma, rated by a support vector machine.

Mittal, Moorthy, Bovik: No-reference image quality assessment in the spatial domain,
IEEE Transactions on Image Processing 21(12), 2012. https://doi.org/10.1109/TIP.2012.2214050
"""

from typing import ClassVar

import torch
from pyiqa.archs.brisque_arch import scale_features
from torch import Tensor

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.brisque_adapter import halve, interleaved, products, symmetric
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.natural_scenes_adapter import normalise
from metric_robustness.metrics.pixels_adapter import luma, rounded
from metric_robustness.metrics.pyiqa_adapter import build


class Brisque(NoReference):
    """Computes what pyiqa does, in float64: in float32, rounding in sums decides between neighbouring shapes."""

    model: ClassVar[str] = "brisque"  # its name in pyiqa
    higher_is_better = False
    score_range = (-10.6, 95.6)
    smallest = 16
    trained_on = "LIVE"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images, to 0.12; one of them, with flat areas, is 8.3 off (pyiqa: 5.4)"
    weights = ("hub/pyiqa/brisque_svm_weights.pth",)

    vectors: Tensor
    coefficients: Tensor

    def __init__(self) -> None:
        super().__init__()
        machine = vars(build(self.model, {}, self.weights))
        self.register_buffer("vectors", machine["sv"].double(), persistent=False)  # (774, 36)
        self.register_buffer("coefficients", machine["sv_coef"].double().flatten(), persistent=False)
        self.width, self.farthest = machine["gamma"], -machine["rho"]

    def score(self, images: Images) -> Scores:
        # A black image has no statistics, and pyiqa rejects a batch of such: it gets the score of a dark grey.
        black = images.amax(dim=(1, 2, 3), keepdim=True) < 0.5 / 255
        levels = rounded(luma(finite_gradient(images + 0.01 * black).double()))
        features = torch.cat([self.features(scale) for scale in (levels, halve(levels))], dim=1)
        distances = (self.scaled(features).unsqueeze(1) - self.vectors).square().sum(2)
        scores: Tensor = (-self.width * distances).exp() @ self.coefficients + self.farthest
        return scores.nan_to_num(nan=self.farthest)  # features unlike any that it was trained on

    def features(self, levels: Tensor) -> Tensor:
        """Returns the (N, 18) features of (N, 1, H, W) levels in 0...255 at one scale."""
        structure = normalise(levels, around="constant")
        shape, mean, left, right, _ = products(structure)
        return torch.cat([symmetric(structure), interleaved(shape, mean, left.square(), right.square())], dim=1)

    def scaled(self, features: Tensor) -> Tensor:
        """Returns (N, 36) features in the units of the support vectors."""
        scaled: Tensor = scale_features(features)
        return scaled
