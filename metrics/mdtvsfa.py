"""MDTVSFA: VSFA trained on four data sets at once, each with a scale of its own.

Li, Jiang, Jiang: Unified quality assessment of in-the-wild videos with mixed datasets training, International Journal
of Computer Vision 129, 2021. https://arxiv.org/abs/2011.04263
"""

from torch import Tensor, nn

from metric_robustness.metrics.base import Scores
from metric_robustness.metrics.vsfa_adapter import RecurrentVideoMetric


class Mdtvsfa(RecurrentVideoMetric):
    higher_is_better = True
    score_range = (0.439, 0.673)
    cost = "heavy"
    gpu_memory = 16
    smallest = 32
    trained_on = "KoNViD-1k, CVD2014, LIVE-Qualcomm, LIVE-VQC"
    licence = "MIT (code and head); BSD-3-Clause (torchvision's backbone)"
    weights = ("hub/checkpoints/resnet50-0676ba61.pth", "hub/checkpoints/MDTVSFA-d5dd4fdf.pt")
    parts = {
        "dimemsion_reduction": "reduction",
        "feature_aggregation": "memory",
        "regression": "rating",
        "nlm.0": "inner",
        "nlm.2": "outer",
    }

    def load_head(self, state: dict[str, Tensor]) -> None:
        self.inner, self.outer = nn.Linear(1, 1), nn.Linear(1, 1)
        super().load_head(state)

    def pool(self, features: Tensor) -> Scores:
        """Returns the scores on the scale that all four data sets share."""
        relative = super().pool(features).sigmoid()[:, None]
        scores: Tensor = self.outer(self.inner(relative).sigmoid())[:, 0]
        return scores
