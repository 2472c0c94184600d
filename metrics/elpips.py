"""E-LPIPS (SqueezeNet): LPIPS averaged over random shifts, scales, flips and colours, with dropout in the network.

Kettunen, Härkönen, Lehtinen: E-LPIPS: robust perceptual image similarity via random transformation ensembles, 2019.
https://arxiv.org/abs/1906.03973

The authors' `squeeze_full_maxpool`, which they call experimental; heads on the input and after every block. A score is
a mean over draws; like the authors' batches, the draws spread over all cases instead of falling where they may. All
images of a batch share them. Written from the paper and the repository mkettune/elpips, whose heads it loads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import Tensor

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.dropout_adapter import dropout_mask, features
from metric_robustness.metrics.transformations_adapter import by_size, draw
from metric_robustness.metrics.weights_adapter import loading, read_state

DRAWS = 8  # transformations that a query averages over
LOST = 0.01  # share of a convolution's inputs that dropout sets to 0


class Elpips(FullReference):
    higher_is_better = False
    score_range = (0.0, 0.15)  # JPEG at 5: 0.06; a flat grey image: 0.15
    random = True
    smallest = 24
    cost = "heavy"
    trained_on = "BAPPS"
    licence = "the project's; E-LPIPS (heads): BSD-2-Clause; BSD-3-Clause (torchvision's network)"
    verified = "lpips_squeeze, which it equals with LPIPS's heads and without its transformations"
    weights = (
        "hub/checkpoints/elpips_squeeze_full_maxpool-429d02fc.npz",
        "hub/checkpoints/squeezenet1_1-b8a52dc0.pth",
    )

    def __init__(self) -> None:
        super().__init__()
        network = torchvision.models.squeezenet1_1(weights=None)
        with loading("E-LPIPS", self.weights):
            network.load_state_dict(read_state(self.weights[1]))
            heads = _read_heads(self.weights[0])
        self.blocks = network.features
        for number, head in enumerate(heads):
            self.register_buffer(f"head{number}", head)

    def score(self, images: Images, references: Images) -> Scores:
        sizes = images.shape[2:]
        drawn = by_size(draw(DRAWS, *sizes), *sizes)
        return torch.cat([self.distances(alike, images, references) for alike in drawn]).mean(dim=0)

    def distances(
        self, changes: Sequence[Callable[[Images], Images]], images: Images, references: Images, lost: float = LOST
    ) -> Tensor:
        """Returns the distances of images to their references after each change, (changes, N), by one pass.

        Args:
            changes: Give images of one size.
            images: (N, 3, H, W) in [0, 1].
            references: Their originals.
            lost: The share of a convolution's inputs that dropout sets to 0, the same ones for image and reference.
        """
        mask = cache(lambda _, shape: dropout_mask(len(changes), shape, lost).to(images.device))

        def dropout(name: str, maps: Tensor) -> Tensor:
            alike = maps.reshape(len(changes), -1, *maps.shape[1:])
            left: Tensor = alike * mask(name, maps.shape[1:])[:, None]
            return left.flatten(0, 1)

        with torch.no_grad():
            wanted = list(features(self.blocks, torch.cat([change(references) for change in changes]), dropout))
        found = features(self.blocks, torch.cat([change(images) for change in changes]), dropout)
        distances = [
            (maps - others).square().mean(dim=(2, 3)) @ self.get_buffer(f"head{number}")
            for number, (maps, others) in enumerate(zip(found, wanted, strict=True))
        ]
        return torch.stack(distances).sum(dim=0).view(len(changes), -1)


def _read_heads(weights: str) -> list[Tensor]:
    """Returns the weight of each channel of every block's maps."""
    with np.load(Path(torch.hub.get_dir()) / weights.removeprefix("hub/")) as heads:
        return [torch.as_tensor(heads[f"lin{number}.model.1.weight"]).flatten() for number in range(len(heads))]
