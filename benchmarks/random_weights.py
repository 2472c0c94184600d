"""Networks with fixed random weights: what a network has learned does not change its speed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def random_weights(build: Callable[[], nn.Module]) -> nn.Module:
    """Returns the network that `build` makes with seed 0, without a change to the caller's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()
