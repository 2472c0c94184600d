"""NIQE: distance of the image's statistics from those of pristine photographs.

Mittal, Soundararajan, Bovik: Making a "completely blind" image quality analyzer, IEEE Signal Processing Letters 20(3),
2013. https://doi.org/10.1109/LSP.2012.2227726

The project fitted the pristine statistics, see `metrics/weights/fit_niqe.py`; `niqe_official` has the authors'.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.natural_scenes_adapter import distance, patch_features


class Niqe(NoReference):
    higher_is_better = False
    score_range = (1.41, 28.7)
    smallest = 96
    trained_on = "pristine photographs (Kodak)"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' parameters, on 16 images"
    weights = ("weights/niqe_kodak.safetensors",)

    mean: torch.Tensor
    covariance: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, value in self.pristine().items():
            self.register_buffer(name, value)

    def pristine(self) -> dict[str, torch.Tensor]:
        """Returns `mean`, (36,), and `covariance`, (36, 36), of the features of pristine patches."""
        return load_file(Path(__file__).parent / self.weights[0])

    def score(self, images: Images) -> Scores:
        return distance(patch_features(finite_gradient(images)), self.mean, self.covariance)
