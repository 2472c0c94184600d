"""Shared base of VSFA and MDTVSFA: ResNet-50 features of frames, a recurrent memory, pooling that models recall.

Li, Jiang, Jiang: Quality assessment of in-the-wild videos, ACM Multimedia 2019. https://arxiv.org/abs/1908.00375
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
import torchvision
from pyiqa.archs.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn
from torch.nn.functional import pad
from torchvision.transforms.functional import normalize

from metric_robustness.metrics.base import Images, Scores, VideoMetric
from metric_robustness.metrics.weights_adapter import loading, read_state

REMEMBERED = 12  # frames that a viewer remembers
FLAT = 1e-12  # added to variances, so that the root has a finite gradient where a channel is constant


class RecurrentVideoMetric(VideoMetric):
    """The network. The first weights file is the backbone's, the second one holds the rest."""

    parts: ClassVar[Mapping[str, str]]  # the authors' names of the parts: `reduction`, `memory`, `rating`

    def __init__(self) -> None:
        super().__init__()
        backbone = torchvision.models.resnet50(weights=None)
        self.reduction, self.rating = nn.Linear(4096, 128), nn.Linear(32, 1)
        self.memory = nn.GRU(128, 32, batch_first=True)
        with loading(type(self).__name__, self.weights):
            backbone.load_state_dict(read_state(self.weights[0]))
            self.backbone = nn.Sequential(*list(backbone.children())[:-2])
            self.load_head(read_state(self.weights[1]))

    def load_head(self, state: dict[str, Tensor]) -> None:
        """Loads the layers after the backbone from the authors' state."""
        for theirs, ours in self.parts.items():
            begin = f"{theirs}."
            part = {name.removeprefix(begin): value for name, value in state.items() if name.startswith(begin)}
            getattr(self, ours).load_state_dict(part)

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        """Returns the (T, 4096) means and standard deviations of the last 2,048 maps; frames keep their size."""
        maps = self.backbone(normalize(frames, IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)).flatten(2)
        spread = maps.var(dim=2, correction=1 if maps.shape[2] > 1 else 0)  # one place has no sample variance
        return torch.cat([maps.mean(dim=2), (spread + FLAT).sqrt()], dim=1)

    def pool(self, features: Tensor) -> Scores:
        remembered, _ = self.memory(self.reduction(features))
        return as_remembered(self.rating(remembered)[..., 0])


def as_remembered(ratings: Tensor) -> Scores:
    """Returns the (N,) ratings of clips from the (N, T) ratings of their frames: equations 5 to 8 of the paper.

    At each frame, half of the rating is the worst of the last 12 frames, and half a mean of the next 12 with more
    weight on bad ones.
    """
    past = pad(ratings, (REMEMBERED - 1, 0), value=torch.inf).unfold(1, REMEMBERED, 1).amin(dim=2)
    coming = pad(ratings, (0, REMEMBERED - 1), value=1e4).unfold(1, REMEMBERED, 1)  # 1e4 has no weight in the softmax
    felt = (torch.softmax(-coming, dim=2) * coming).sum(dim=2)
    return (0.5 * past + 0.5 * felt).mean(dim=1)
