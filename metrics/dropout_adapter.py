"""SqueezeNet's maps as E-LPIPS reads them: with dropout before every convolution, each place's channels normed.

Kettunen, Härkönen, Lehtinen: E-LPIPS: robust perceptual image similarity via random transformation ensembles, 2019.
https://arxiv.org/abs/1906.03973
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d
from torchvision.models.squeezenet import Fire

from metric_robustness.metrics.base import Images

CENTRE, SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # LPIPS's, of pixels in [-1, 1]
TINY = 1e-10  # added to the norm of features

Dropout: TypeAlias = Callable[[str, Tensor], Tensor]  # a convolution's name and its input to what is left of the input


def features(blocks: nn.Module, images: Images, dropout: Dropout) -> Iterator[Tensor]:
    """Yields the input and the maps after every block, each place's channels divided by their norm.

    Args:
        blocks: SqueezeNet 1.1's.
        images: (N, 3, H, W) in [0, 1].
        dropout: Of the inputs of convolutions.
    """
    centre, spread = (images.new_tensor(values)[:, None, None] for values in (CENTRE, SPREAD))
    maps = (2 * images - 1 - centre) / spread
    yield _unit(maps)
    for name, block in blocks.named_children():
        if isinstance(block, nn.MaxPool2d):  # the authors' leaves out what fills no window
            maps = max_pool2d(maps, 3, 2)
        elif isinstance(block, Fire):
            squeezed = block.squeeze(dropout(name, maps)).relu()
            sides = ("expand1x1", "expand3x3")
            maps = torch.cat([getattr(block, side)(dropout(name + side, squeezed)) for side in sides], dim=1).relu()
            yield _unit(maps)
        elif isinstance(block, nn.Conv2d):
            maps = block(dropout(name, maps)).relu()
            yield _unit(maps)


def dropout_mask(draws: int, shape: tuple[int, ...], lost: float) -> Tensor:
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
