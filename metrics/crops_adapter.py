"""Crops that cover an image, for metrics that rate crops."""

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images


def covering_crops(images: Images, side: int, stride: int) -> Tensor:
    """Returns (N, crops, 3, side, side) squares in steps of `stride`; the last of a row or column ends at the edge."""
    rows, columns = (sorted({*range(0, length - side + 1, stride), length - side}) for length in images.shape[2:])
    return torch.stack([images[..., y : y + side, x : x + side] for y in rows for x in columns], dim=1)
