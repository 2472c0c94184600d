"""A small U-Net whose weights are one flat tensor, as the state of a fit holds them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, group_norm, interpolate, silu

from metric_robustness.attacks.base import Images, Noise

GROUPS = 4  # of channels, normalised together


def kernel_shapes(width: int, levels: int) -> list[torch.Size]:
    """Returns the shapes of the convolutions: down, up, and one that makes three channels.

    Args:
        width: Channels of the first level, a multiple of GROUPS.
        levels: Each halves the side and doubles the channels, up to 4 * width.
    """
    wide = [3, *(width * min(2**level, 4) for level in range(levels))]
    down = [(wide[level + 1], wide[level], 3, 3) for level in range(levels)]
    up = [(wide[level], wide[level + 1] + wide[level], 3, 3) for level in range(levels - 1, 0, -1)]
    return [torch.Size(shape) for shape in [*down, *up, (3, wide[1] + 3, 3, 3)]]


def first_weights(shapes: Sequence[torch.Size], noise: Noise) -> Tensor:
    """Returns the flat weights that a fit begins with (He et al., ICCV 2015)."""
    sizes = torch.cat([torch.full((shape.numel(),), (2 / shape[1:].numel()) ** 0.5) for shape in shapes])
    return sizes * noise.normal(torch.empty(1, len(sizes)))[0]


def passed(weights: Tensor, shapes: Sequence[torch.Size], images: Images) -> Tensor:
    """Returns what the U-Net with these flat weights makes of (N, 3, H, W) images, in their shape, without bound."""
    parts = torch.split(weights, [shape.numel() for shape in shapes])
    kernels = [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
    levels = len(kernels) // 2
    features, skipped = images, []
    for kernel in kernels[:levels]:
        skipped.append(features)
        features = silu(group_norm(conv2d(features, kernel, stride=2, padding=1), GROUPS))
    for kernel in kernels[levels:]:
        skip = skipped.pop()
        features = torch.cat([interpolate(features, size=skip.shape[-2:]), skip], dim=1)
        features = conv2d(features, kernel, padding=1)
        if skipped:
            features = silu(group_norm(features, GROUPS))
    return features
