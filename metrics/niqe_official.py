"""NIQE with its authors' parameters: distance of the image's statistics from those of pristine photographs.

Mittal, Soundararajan, Bovik: Making a "completely blind" image quality analyzer, IEEE Signal Processing Letters 20(3),
2013. https://doi.org/10.1109/LSP.2012.2227726
"""

from typing import ClassVar

from torch import Tensor

from metric_robustness.metrics.niqe import Niqe
from metric_robustness.metrics.pyiqa_adapter import build


class NiqeOfficial(Niqe):
    model: ClassVar[str] = "niqe"  # its name in pyiqa
    score_range = (1.41, 28.7)
    trained_on = "pristine photographs"
    licence = "PolyForm Noncommercial 1.0.0; weights BSD-3-Clause"
    verified = "the authors' scores of 5 images"
    weights = ("hub/pyiqa/niqe_modelparameters.mat",)

    def pristine(self) -> dict[str, Tensor]:
        network = build(self.model, {}, self.weights)
        return {"mean": vars(network)["mu_pris_param"], "covariance": vars(network)["cov_pris_param"]}
