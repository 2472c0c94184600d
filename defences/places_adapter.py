"""Random numbers and random places of images, for defences that move them."""

from __future__ import annotations

import torch
from torch import Tensor

from metric_robustness.defences.base import DefenceNoise, Images


def shares(images: Images, noise: DefenceNoise) -> Tensor:
    """Returns two numbers from [0, 1) for each image, (N, 2), on the CPU."""
    return (noise.uniform(images[:, :2, :1, 0]).cpu().squeeze(2) + 1) / 2


def among(shares: Tensor, room: Tensor) -> Tensor:
    """Returns the whole numbers from 0 to `room`, which it includes, that shares of it stand for, (N, 2)."""
    return (shares * (room + 1)).long().minimum(room)


def sides_of(images: Images, share: float) -> Tensor:
    """Returns height and width times a share, (2,), at least one pixel each."""
    return torch.tensor([max(round(side * share), 1) for side in images.shape[2:]])
