"""Flow fields: images whose pixels are moved, and how rough a flow is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from metric_robustness.attacks.base import Images

SMOOTH = 1e-4  # pixels: the roughness is rounded off below, or it would have no gradient at no flow


def warped(images: Images, flow: Tensor) -> Images:
    """Returns the images read bilinearly where the flow points to; the border repeats.

    Args:
        images: (N, 3, H, W).
        flow: (N, 2, H, W) in pixels, first to the right, then down.
    """
    height, width = images.shape[2:]
    across = torch.arange(width, device=flow.device) + flow[:, 0]
    down = torch.arange(height, device=flow.device).unsqueeze(1) + flow[:, 1]
    places = torch.stack([(2 * across + 1) / width - 1, (2 * down + 1) / height - 1], dim=-1)
    return grid_sample(images, places, padding_mode="border", align_corners=False)


def roughness(flow: Tensor) -> Tensor:
    """Returns the (N,) mean lengths of the differences of neighbouring flows, (N, 2, H, W), in pixels."""
    across, down = flow.diff(dim=3), flow.diff(dim=2)
    lengths = [(part.square().sum(dim=1) + SMOOTH**2).sqrt().mean(dim=(1, 2)) for part in (across, down)]
    return lengths[0] + lengths[1]
