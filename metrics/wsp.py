"""WSP: ResNet-101 whose features are pooled with learned weights of each place, trained on KonIQ-10k.

Su, Korhonen: Blind natural image quality prediction using convolutional neural networks and weighted spatial pooling,
ICIP 2020.

Written from the paper and the authors' model in the repository yichengsu/ICIP2020-WSP-IQA. The network predicts the
shares of the ratings 1 to 5; the score is their mean.
"""

from typing import Any

import torch
import torchvision
from pyiqa.archs.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn
from torchvision.transforms.functional import normalize

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.weights_adapter import loading, read_state

LEAST = 1e-4  # added to the sum of an image's weights


class Wsp(NoReference):
    higher_is_better = True
    score_range = (1.88, 3.87)
    smallest = 32
    cost = "heavy"
    trained_on = "KonIQ-10k"
    licence = "none stated"
    weights = ("hub/checkpoints/wsp_koniq10k.pth",)

    def __init__(self) -> None:
        super().__init__()
        layers = list(torchvision.models.resnet101(weights=None).children())
        self.resnet101_freeze, self.resnet101 = nn.Sequential(*layers[:7]), nn.Sequential(layers[7])
        self.wsp = nn.ModuleDict({"conv": nn.Conv2d(2048, 2048, 1), "bn": nn.BatchNorm2d(2048)})
        self.fc = nn.Linear(2048, 5)
        with loading("WSP", self.weights):
            state: dict[str, Any] = read_state(self.weights[0])
            self.load_state_dict(state.get("state_dict", state))

    def score(self, images: Images) -> Scores:
        pixels = normalize(images, IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
        features = self.resnet101(self.resnet101_freeze(pixels))
        weights = self.wsp["bn"](self.wsp["conv"](features)).relu()
        pooled = (features * weights).sum(dim=(2, 3)) / (weights.sum(dim=(2, 3)) + LEAST)
        shares: Tensor = self.fc(pooled)
        return shares @ torch.arange(1.0, 6.0, device=images.device)
