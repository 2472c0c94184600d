"""DeepDC: distance correlation of VGG-19's features.

Zhu, Chen, Zhu, Wang, Lin: DeepDC: deep distance correlation as a perceptual image quality evaluator, 2022.
https://arxiv.org/abs/2211.04927
"""

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Deepdc(PyiqaFullReference):
    model = "deepdc"
    higher_is_better = False
    score_range = (0.0, 1.0)
    smallest = 16
    cost = "heavy"
    trained_on = "ImageNet (features only)"
    weights = ("hub/checkpoints/vgg19-dcbb9e9d.pth",)

    def score(self, images: Images, references: Images) -> Scores:
        # The metric is symmetric, and pyiqa passes a gradient to its second argument only.
        return super().score(references, images)
