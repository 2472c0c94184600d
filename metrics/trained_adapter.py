"""Shared base of the networks that the project trains itself, with committed weights or without."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import pad

from metric_robustness.metrics.base import Images, NoReference
from metric_robustness.metrics.weights_adapter import loading

FLAT = 1e-4  # added to each variance, so that roots and logarithms stay finite on a flat image


class TrainedHere(NoReference):
    """A network whose weights `python -m pipeline train` wrote."""

    def __init__(self) -> None:
        """Builds the network and loads its weights.

        Raises:
            ValueError: If the weights file is missing, damaged or of another architecture.
        """
        super().__init__()
        with loading(type(self).__name__, self.weights):
            self.build()
            self.load_state_dict(load_file(Path(__file__).parent / self.weights[0]))
        self.eval()  # statistics over the batch are for training only

    @classmethod
    def untrained(cls) -> Self:
        """Returns the network that training begins with: random weights from torch's global generator."""
        network = cls.__new__(cls)
        NoReference.__init__(network)
        network.build()
        return network

    @abstractmethod
    def build(self) -> None:
        """Adds the layers."""


def with_structure(images: Images) -> Tensor:
    """Returns (N, 6, H, W): the centred images, and each pixel's difference from its surroundings over their contrast.

    Distortions change the second half, whatever the photograph shows.
    """
    difference = images - _around(images)
    contrast = (_around(difference.square()) + FLAT).sqrt()
    return torch.cat([(images - 0.5) / 0.25, difference / contrast], dim=1)


def mean_and_spread(features: Tensor) -> Tensor:
    """Returns the (N, 2C) means, and logarithms of standard deviations, of (N, C, places) features over the places."""
    variance = features.var(dim=2, correction=0)
    return torch.cat([features.mean(dim=2), (variance + FLAT).log() / 2], dim=1)


def _around(images: Images) -> Tensor:
    """Returns the mean of the 7x7 pixels around each, mirrored at the border; pooling takes ten times as long."""
    maps = pad(images, [3] * 4, mode="reflect")
    for side in (-2, -1):
        rest = maps.shape[side] - 6
        pairs = maps.narrow(side, 0, rest + 5) + maps.narrow(side, 1, rest + 5)
        fours = pairs.narrow(side, 0, rest + 3) + pairs.narrow(side, 2, rest + 3)
        maps = fours.narrow(side, 0, rest) + pairs.narrow(side, 4, rest) + maps.narrow(side, 6, rest)
    return maps / 49
