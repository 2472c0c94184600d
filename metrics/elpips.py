"""E-LPIPS (SqueezeNet): LPIPS averaged over random shifts, scales, flips and colours, with dropout in the network.

Kettunen, Härkönen, Lehtinen: E-LPIPS: robust perceptual image similarity via random transformation ensembles, 2019.
https://arxiv.org/abs/1906.03973

The authors' `squeeze_full_maxpool`, which they call experimental; heads on the input and after every block. A score is
a mean over draws; like the authors' batches, the draws spread over all cases instead of falling where they may. All
images of a batch share them. Written from the paper and the repository mkettune/elpips, whose heads it loads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import Tensor
from torch.nn.functional import max_pool2d
from torchvision.models.squeezenet import Fire

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.transformations_adapter import by_size, draw
from metric_robustness.metrics.weights_adapter import loading, read_state

DRAWS = 8  # transformations that a query averages over
LOST = 0.01  # share of a convolution's inputs that dropout sets to 0
CENTRE, SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # LPIPS's, of pixels in [-1, 1]
TINY = 1e-10  # added to the norm of features


Dropout = Callable[[str, Tensor], Tensor]  # the name of a convolution and its input to what is left of the input


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
        mask = cache(lambda _, shape: _mask(len(changes), shape, lost).to(images.device))

        def dropout(name: str, maps: Tensor) -> Tensor:
            alike = maps.reshape(len(changes), -1, *maps.shape[1:])
            left: Tensor = alike * mask(name, maps.shape[1:])[:, None]
            return left.flatten(0, 1)

        with torch.no_grad():
            wanted = list(self.features(torch.cat([change(references) for change in changes]), dropout))
        found = self.features(torch.cat([change(images) for change in changes]), dropout)
        distances = [
            (maps - others).square().mean(dim=(2, 3)) @ self.get_buffer(f"head{number}")
            for number, (maps, others) in enumerate(zip(found, wanted, strict=True))
        ]
        return torch.stack(distances).sum(dim=0).view(len(changes), -1)

    def features(self, images: Images, dropout: Dropout) -> Iterator[Tensor]:
        """Yields the input and the maps after every block, each place's channels divided by their norm."""
        centre, spread = (images.new_tensor(values)[:, None, None] for values in (CENTRE, SPREAD))
        maps = (2 * images - 1 - centre) / spread
        yield _unit(maps)
        for name, block in self.blocks.named_children():
            if isinstance(block, torch.nn.MaxPool2d):  # the authors' leaves out what fills no window
                maps = max_pool2d(maps, 3, 2)
            elif isinstance(block, Fire):
                squeezed = block.squeeze(dropout(name, maps)).relu()
                sides = ("expand1x1", "expand3x3")
                maps = torch.cat([getattr(block, side)(dropout(name + side, squeezed)) for side in sides], dim=1).relu()
                yield _unit(maps)
            elif isinstance(block, torch.nn.Conv2d):
                maps = block(dropout(name, maps)).relu()
                yield _unit(maps)


def _mask(draws: int, shape: tuple[int, ...], lost: float) -> Tensor:
    """Returns factors that set a share of values to 0 and keep the mean, (draws, *shape).

    Poisson many places, each drawn from all, hit every place independently: a hundredth of the random numbers.
    """
    count = draws * math.prod(shape)
    hits = int(torch.poisson(torch.tensor(-count * math.log1p(-lost), dtype=torch.double)))
    mask = torch.full((count,), 1 / (1 - lost))
    mask[torch.randint(count, (hits,))] = 0
    return mask.view(draws, *shape)


def _unit(maps: Tensor) -> Tensor:
    """Returns (N, C, H, W) features divided by the norm of their channels at each place."""
    norm = (maps.square().sum(dim=1, keepdim=True) + TINY**2).sqrt()  # a root has no gradient at 0
    return maps / (norm + TINY)


def _read_heads(weights: str) -> list[Tensor]:
    """Returns the weight of each channel of every block's maps."""
    with np.load(Path(torch.hub.get_dir()) / weights.removeprefix("hub/")) as heads:
        return [torch.as_tensor(heads[f"lin{number}.model.1.weight"]).flatten() for number in range(len(heads))]
