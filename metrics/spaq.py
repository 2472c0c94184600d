"""SPAQ baseline: ResNet-50 over overlapping crops, trained on photographs of smartphones.

Fang, Zhu, Zeng, Ma, Wang: Perceptual quality assessment of smartphone photography, CVPR 2020.
https://doi.org/10.1109/CVPR42600.2020.00373

Written from the paper and the authors' demonstration in the repository h4nwei/SPAQ, which also names the
weights.
"""

from typing import Any

import torchvision
from torch import Tensor, nn
from torchvision.transforms.functional import resize

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.crops_adapter import covering_crops
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.weights_adapter import loading, read_state

SHORTER, SIDE = 512, 224  # pixels: shorter side that large images are resized to, side of a crop


class Spaq(NoReference):
    higher_is_better = True
    score_range = (21.7, 77.8)
    smallest = 224
    cost = "heavy"
    trained_on = "SPAQ"
    licence = "research and education only"
    weights = ("hub/checkpoints/BL_release.pt",)

    def __init__(self) -> None:
        super().__init__()
        self.backbone = torchvision.models.resnet50(weights=None)
        self.backbone.fc = nn.Linear(2048, 1)
        with loading("SPAQ", self.weights):
            state: dict[str, Any] = read_state(self.weights[0])
            self.load_state_dict(state.get("state_dict", state))

    def score(self, images: Images) -> Scores:
        images = finite_gradient(images)
        if min(images.shape[2:]) >= SHORTER:
            images = resize(images, [SHORTER], antialias=True)
        crops = covering_crops(images, SIDE, SIDE // 2)
        rated: Tensor = self.backbone(crops.flatten(0, 1))
        return rated.reshape(crops.shape[:2]).mean(dim=1)
