"""NRQM's rating of a luma: three kinds of features, each rated by a forest of regression trees."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, unfold

from metric_robustness.metrics.nrqm_bands_adapter import band_features
from metric_robustness.metrics.nrqm_fits_adapter import shape, variation

PATCH, STEP, COLUMN = 7, 3, 5  # sides of patches, pixels between them, and sides of blocks, in pixels
SMOOTH = (0.10650698, 0.78698604, 0.10650698)  # a Gaussian of sigma 0.5
DIRECTIONS = (  # the frequencies down and across of each direction: mostly across, both alike, mostly down
    {0: range(1, 7), 1: range(2, 7), 2: range(4, 7), 3: range(5, 7)},
    {1: range(1, 2), 2: range(2, 4), 3: range(2, 5), 4: range(3, 7), 5: range(4, 7), 6: range(4, 7)},
)
SLIGHT = 1e-8


class Rating(nn.Module):
    """Forests with what pyiqa's NRQM read from its weights."""

    weights: Tensor  # (4,): a constant, then one for each forest

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self.register_buffer("weights", torch.from_numpy(theirs.linear_param).double().flatten(), persistent=False)
        self.forests = nn.ModuleList([Forest(*parts) for parts in theirs.rf_params_list])

    def forward(self, levels: Tensor) -> Tensor:
        """Returns the (N,) scores of (N, 1, H, W) float64 levels in 0...255."""
        scales = [levels / 255]
        for _ in range(2):
            scales.append(halved(scales[-1]))
        features = (
            torch.cat([frequencies(scale) for scale in scales], dim=1),
            band_features(levels),
            torch.cat([singular_values(scale) for scale in scales], dim=1),
        )
        rated = [forest(each) for forest, each in zip(self.forests, features, strict=True)]
        return self.weights[0] + torch.stack(rated, dim=1) @ self.weights[1:]


class Forest(nn.Module):
    """Regression trees, all walked at once: a node leads left where a feature is at most its threshold."""

    left: Tensor
    right: Tensor
    threshold: Tensor
    prediction: Tensor
    feature: Tensor

    def __init__(self, *parts: Any) -> None:
        """Takes MATLAB's (nodes, trees) matrices: left and right child, threshold, prediction, feature; from 1."""
        super().__init__()
        for name, part in zip(("left", "right", "threshold", "prediction", "feature"), parts, strict=True):
            matrix = torch.from_numpy(part.astype(float)).T.contiguous()
            whole = matrix if name in {"threshold", "prediction"} else matrix.long() - 1
            self.register_buffer(name, whole, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Returns the (N,) means over trees of (N, F) features; at a leaf, which has no children, the way ends."""
        node = torch.zeros(len(self.left), len(features), dtype=torch.long, device=features.device)
        while True:
            value = features.T.gather(0, self.feature.gather(1, node).clamp(min=0))
            smaller = value <= self.threshold.gather(1, node)
            child = torch.where(smaller, self.left.gather(1, node), self.right.gather(1, node))
            if (child < 0).all():
                mean: Tensor = self.prediction.gather(1, node).mean(0)
                return mean
            node = torch.where(child < 0, node, child)


def halved(images: Tensor) -> Tensor:
    """Returns every second pixel, from the second one, of smoothed (N, 1, H, W) images with zeros around."""
    for dimension, around in ((2, (0, 0, 1, 1)), (3, (1, 1, 0, 0))):
        side = images.shape[dimension]
        wider = pad(images, around)
        places = [torch.arange(1 + shift, side + shift, 2, device=images.device) for shift in range(3)]
        images = sum(
            (weight * wider.index_select(dimension, place) for weight, place in zip(SMOOTH, places, strict=True)),
            start=torch.zeros((), dtype=images.dtype, device=images.device),
        )
    return images


def frequencies(images: Tensor) -> Tensor:
    """Returns the (N, 6) statistics of the cosine transforms of patches of (N, 1, H, W) images."""
    around: list[int] = []
    for side in (images.shape[3], images.shape[2]):
        missing = (math.ceil(side / STEP) - 1) * STEP + PATCH - side
        around += [missing // 2, missing - missing // 2]
    waves = _cosines().to(images) @ unfold(pad(images, around), PATCH, stride=STEP)  # (N, 49, patches)
    shapes = shape(waves[:, 1:]).sort(dim=1).values
    variations = variation(waves[:, 1:]).sort(dim=1).values
    directions = torch.stack([variation(waves[:, places], SLIGHT) for places in _directions()])
    spreads = directions.var(0).sort(dim=1).values
    count = shapes.shape[1]
    few, last = math.ceil(0.1 * count) + 1, math.floor(0.9 * count)
    parts = (shapes[:, :few], shapes, variations[:, last:], variations, spreads[:, last:], spreads)
    return torch.stack([part.mean(1) for part in parts], dim=1)


def singular_values(images: Tensor) -> Tensor:
    """Returns the (N, 25) singular values of all blocks of 5x5 pixels as the rows of a matrix."""
    height, width = images.shape[2:]
    blocks = unfold(pad(images, (0, -width % COLUMN, 0, -height % COLUMN)), COLUMN, stride=COLUMN)
    values: Tensor = torch.linalg.svdvals(blocks)
    return values


@cache
def _cosines() -> Tensor:
    """Returns the (49, 49) orthonormal cosine transform of a patch, frequencies down first."""
    steps = torch.arange(PATCH).double()
    row = (math.pi / PATCH * steps[:, None] * (steps + 0.5)).cos() * math.sqrt(2 / PATCH)
    row[0] /= math.sqrt(2)
    return torch.kron(row, row)


@cache
def _directions() -> list[list[int]]:
    across, diagonal = (
        [PATCH * down + right for down, rights in each.items() for right in rights] for each in DIRECTIONS
    )
    return [across, diagonal, [place % PATCH * PATCH + place // PATCH for place in across]]
