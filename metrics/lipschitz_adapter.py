"""Layers that never stretch a difference: SDP-based Lipschitz layers, x - 2 Wᵀ T relu(W x + b).

Araujo, Havens, Delattre, Allauzen, Hu. A unified algebraic perspective on Lipschitz neural networks. ICLR, 2023.
https://arxiv.org/abs/2303.03169
T is diagonal and depends on the weights alone, so it is computed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, takewhile
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, linear


class LipschitzConvolution(nn.Module):
    """A layer whose W is a convolution that keeps the size.

    Args:
        kernel: (C', C, k, k).
        bias: (1, C', 1, 1).
    """

    def __init__(self, kernel: Tensor, bias: Tensor) -> None:
        super().__init__()
        overlaps = conv2d(kernel, kernel, padding=kernel.shape[-1] - 1).abs().sum((1, 2, 3))
        self.padding = kernel.shape[-1] // 2
        self.register_buffer("kernel", kernel)
        self.register_buffer("bias", bias.flatten())
        self.register_buffer("scale", inverse(overlaps)[:, None, None])

    def forward(self, maps: Tensor) -> Tensor:
        kernel, scale = self.get_buffer("kernel"), self.get_buffer("scale")
        inner = conv2d(maps, kernel, self.get_buffer("bias"), padding=self.padding).relu()
        return maps - 2 * conv_transpose2d(scale * inner, kernel, padding=self.padding)


class LipschitzLinear(nn.Module):
    """A layer whose W is a matrix.

    Args:
        weight: (F', F).
        bias: (1, F').
        logarithms: Of the weights q of its rows in T, (F',).
    """

    def __init__(self, weight: Tensor, bias: Tensor, logarithms: Tensor) -> None:
        super().__init__()
        ratios = (logarithms - logarithms[:, None]).exp()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias.flatten())
        self.register_buffer("scale", inverse((weight @ weight.T * ratios).abs().sum(1)))

    def forward(self, features: Tensor) -> Tensor:
        weight, scale = self.get_buffer("weight"), self.get_buffer("scale")
        inner = linear(features, weight, self.get_buffer("bias")).relu()
        return features - 2 * linear(scale * inner, weight.T)


def lipschitz_layers(checkpoint: Mapping[str, Any]) -> tuple[nn.Sequential, nn.Sequential]:
    """Returns the convolutions and the layers after them of one of LipSim's checkpoints.

    Raises:
        KeyError: If it holds something else.
    """
    saved = checkpoint.get("model_state_dict", checkpoint)
    state: dict[str, Tensor] = {name.rpartition("model.")[2]: value for name, value in saved.items()}

    def parts(pattern: str, first: int, *names: str) -> list[list[Tensor]]:
        """Returns the named tensors of each layer, in the order of their numbers."""
        layers = takewhile(lambda layer: f"{layer}.{names[0]}" in state, map(pattern.format, count(first)))
        return [[state[f"{layer}.{name}"] for name in names] for layer in layers]

    convolutions = [LipschitzConvolution(*each) for each in parts("convs.{}", 0, "kernel", "bias")]
    linear_layers = [LipschitzLinear(*each) for each in parts("linear.{}", 1, "weight", "bias", "q")]
    if not convolutions or not linear_layers:
        raise KeyError("no layers of LipSim")
    return nn.Sequential(*convolutions), nn.Sequential(*linear_layers)


def inverse(values: Tensor) -> Tensor:
    """Returns 1 / values, and 0 for 0."""
    return torch.where(values == 0, 0, 1 / values)
