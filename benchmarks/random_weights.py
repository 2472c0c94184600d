"""Networks with random weights, the same ones every time: speed does not depend on what a network has learnt."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def random_weights(build: Callable[[], nn.Module]) -> nn.Module:
    """Returns the network that `build` makes from seed 0; the caller's random numbers go on as if nothing was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()
