"""Small CNN: means and deviations of four convolutions' features, trained by us on full-reference labels.

Trained by `python -m pipeline train small_cnn`. The JSON file beside the weights says how, and how well it performs.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import silu

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.trained_adapter import TrainedHere, mean_and_spread, with_structure

CHANNELS = (6, 16, 32, 64, 96)


class SmallCnn(TrainedHere):
    """Pools each scale by itself: noise shows in the first layer, blocks and blur in later ones."""

    higher_is_better = True
    score_range = (0.0, 100.0)
    smallest = 32
    trained_on = "distorted photographs (Kodak, scikit-image) and scenes made of them, ranked by FSIM, VIF and GMSD"
    licence = "the project's; photographs of unrestricted use"
    verified = "120 TID2013-like stimuli: SROCC .75 with opinions; photographs held out: .91 with labels"
    weights = ("weights/small_cnn.safetensors",)

    def build(self) -> None:
        sides = (5, 3, 3, 3)
        layers = [
            nn.Conv2d(narrow, wide, side, stride=2, padding=side // 2)
            for (narrow, wide), side in zip(pairwise(CHANNELS), sides, strict=True)
        ]
        self.layers = nn.ModuleList(layers)
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight)  # with torch's default, the signal fades from layer to layer
        pooled = 2 * sum(CHANNELS[1:])
        self.rate = nn.Sequential(nn.BatchNorm1d(pooled), nn.Linear(pooled, 64), nn.SiLU(), nn.Linear(64, 1))

    def score(self, images: Images) -> Scores:
        features, pooled = with_structure(images), []
        for layer in self.layers:
            features = silu(layer(features))
            pooled.append(mean_and_spread(features.flatten(2)))
        rated: Scores = self.rate(torch.cat(pooled, dim=1))
        return 50 + 50 * rated.squeeze(1)
