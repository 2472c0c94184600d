"""ResNet-50 with random weights: stands for the networks of its size among the metrics.

He et al.: Deep residual learning for image recognition, CVPR 2016. https://arxiv.org/abs/1512.03385
"""

from torchvision.models import resnet50

from benchmarks.random_weights import random_weights
from metric_robustness.metrics.base import Images, NoReference, Scores


class ResNet50(NoReference):
    """The network with one output instead of classes."""

    higher_is_better = True
    score_range = (0, 1)

    def __init__(self) -> None:
        super().__init__()
        self.net = random_weights(lambda: resnet50(num_classes=1))

    def score(self, images: Images) -> Scores:
        scores: Scores = self.net(images).squeeze(1)
        return scores
