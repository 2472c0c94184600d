"""Linearity: ResNeXt-101 with two pooled levels, trained on KonIQ-10k with the norm-in-norm loss.

Li, Jiang, Jiang: Norm-in-norm loss with faster convergence and better performance for image quality assessment,
ACM Multimedia 2020. https://arxiv.org/abs/2008.03889

Written from the paper and the authors' model in the repository lidq92/LinearityIQA, whose weights come with the line
(k, b) that maps the network's output to opinions. It resizes images to 498x664 pixels, the size used in training.
"""

from typing import Any

import torch
import torchvision
from pyiqa.archs.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn
from torchvision.transforms.functional import normalize, resize

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.weights_adapter import loading, read_state

SIZE = [498, 664]  # height and width in pixels


class Linearity(NoReference):
    higher_is_better = True
    score_range = (25.8, 83.2)
    cost = "heavy"
    gpu_memory = 16
    trained_on = "KonIQ-10k"
    licence = "MIT (code)"
    weights = ("hub/checkpoints/linearity_p1q2.pth",)

    line: Tensor

    def __init__(self) -> None:
        super().__init__()
        backbone = torchvision.models.resnext101_32x8d(weights=None)
        self.features = nn.Sequential(*list(backbone.children())[:-2])
        self.dr6, self.dr7 = _reduction(1024), _reduction(2048)
        self.regr6, self.regr7, self.regression = nn.Linear(64, 1), nn.Linear(64, 1), nn.Linear(128, 1)
        with loading("Linearity", self.weights):
            state: dict[str, Any] = read_state(self.weights[0])
            self.load_state_dict(state.get("model", state))
            line = [float(state[name][-1]) if name in state else default for name, default in (("k", 1.0), ("b", 0.0))]
        self.register_buffer("line", torch.tensor(line), persistent=False)

    def score(self, images: Images) -> Scores:
        pixels = normalize(resize(images, SIZE, antialias=True), IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
        third = self.features[:7](pixels)
        fourth = self.features[7](third)
        pooled = [self.dr6(third.mean(dim=(2, 3))), self.dr7(fourth.mean(dim=(2, 3)))]
        rated: Tensor = self.regression(torch.cat(pooled, dim=1))[:, 0]
        return rated * self.line[0] + self.line[1]


def _reduction(width: int) -> nn.Sequential:
    widths = (width, 1024, 256, 64)
    layers = [layer for i in range(3) for layer in (nn.Linear(widths[i], widths[i + 1]), nn.BatchNorm1d(widths[i + 1]))]
    return nn.Sequential(*layers, nn.ReLU())
