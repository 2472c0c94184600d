"""Shared base of the networks that the project trains itself: built for training, or with the committed weights."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load_file
from torch import Tensor

from metrics.base import NoReference
from metrics.weights_adapter import loading


class TrainedHere(NoReference):
    """A network whose weights `python -m pipeline train` made."""

    def __init__(self) -> None:
        """Builds the network and loads its weights.

        Raises:
            ValueError: If the weights file is missing, damaged or of another architecture.
        """
        super().__init__()
        with loading(type(self).__name__, self.weights):
            self.build()
            self.load_state_dict(load_file(Path(__file__).parent / self.weights[0]))

    @classmethod
    def untrained(cls) -> Self:
        """Returns the network as training begins with it, with weights from torch's random generator."""
        network = cls.__new__(cls)
        NoReference.__init__(network)
        network.build()
        return network

    @abstractmethod
    def build(self) -> None:
        """Adds the layers."""


def mean_and_spread(features: Tensor, eps: float = 1e-4) -> Tensor:
    """Returns the (N, 2C) means and standard deviations over the places of (N, C, places) features.

    Args:
        features: At least one place each.
        eps: Keeps the root differentiable where all places are equal, as on a flat image.
    """
    variance = features.var(dim=2, correction=0)
    return torch.cat([features.mean(dim=2), (variance + eps).sqrt()], dim=1)
