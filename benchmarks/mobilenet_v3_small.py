"""MobileNetV3-small with random weights: stands for the small networks among the metrics.

Howard et al.: Searching for MobileNetV3, ICCV 2019. https://arxiv.org/abs/1905.02244
"""

from torchvision.models import mobilenet_v3_small

from benchmarks.random_weights import random_weights
from metric_robustness.metrics.base import Images, NoReference, Scores


class MobileNetV3Small(NoReference):
    """The network with one output instead of classes."""

    higher_is_better = True
    score_range = (0, 1)

    def __init__(self) -> None:
        super().__init__()
        self.net = random_weights(lambda: mobilenet_v3_small(num_classes=1))

    def score(self, images: Images) -> Scores:
        scores: Scores = self.net(images).squeeze(1)
        return scores
