"""EONSS: four small convolutions with divisive normalisation, mean over overlapping patches.

Wang, Athar, Wang: Blind quality assessment of multiply distorted images using deep neural networks,
International Conference on Image Analysis and Recognition 2019.

Written from the paper and the authors' demonstration; the weights come from the repository icbcbicc/EONSS-demo.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.weights_adapter import loading, read_state

SIDE, STRIDE = 235, 128  # of the patches, in pixels


class Eonss(NoReference):
    higher_is_better = True
    score_range = (0.0, 25.0)  # Kodak's photographs: 21.9 to 24.3; hardly recognisable ones: below 0
    smallest = 236  # in the authors' code a patch begins before, never at, height - 235
    trained_on = "multiply distorted photographs"
    licence = "BSD-2-Clause (weights)"
    verified = "the authors' weights, on a ladder of distortions"
    weights = ("hub/checkpoints/eonss-500da002.pth",)

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 8, 16, 32)
        for number, (wide, wider) in enumerate(pairwise(channels), start=1):
            self.add_module(f"conv{number}", nn.Conv2d(wide, wider, 5, stride=2, padding=2))
            self.add_module(f"gdn{number}", _normalisation(wider))
        self.conv4, self.gdn4 = nn.Conv2d(32, 64, 3), _normalisation(64)
        self.st2_fc1, self.st2_gdn1, self.st2_fc2 = nn.Conv2d(64, 256, 1), _normalisation(256), nn.Conv2d(256, 1, 1)
        with loading("EONSS", self.weights):
            self.load_state_dict(read_state(self.weights[0]))

    def score(self, images: Images) -> Scores:
        rows, columns = (range(0, side - SIDE, STRIDE) for side in images.shape[2:])
        patches = torch.stack([images[..., y : y + SIDE, x : x + SIDE] for y in rows for x in columns], dim=1)
        features = patches.flatten(0, 1)
        for number in range(1, 5):
            convolved = self.get_submodule(f"conv{number}")(features)
            features = max_pool2d(_divided(convolved, self.get_submodule(f"gdn{number}")), 2)
        rated: Tensor = self.st2_fc2(_divided(self.st2_fc1(features), self.st2_gdn1))
        return rated.reshape(patches.shape[:2]).mean(dim=1)


def _normalisation(channels: int) -> nn.ParameterDict:
    return nn.ParameterDict({"gamma": torch.ones(channels, channels), "beta": torch.full((channels,), 0.01)})


def _divided(features: Tensor, normalisation: Any) -> Tensor:
    """Returns features divided by the root of a learned mixture of all channels' squares (divisive normalisation)."""
    mixed = torch.einsum("njhw,ji->nihw", features.square(), normalisation.gamma)
    divided: Tensor = features / (mixed + normalisation.beta[:, None, None]).sqrt()
    return divided
