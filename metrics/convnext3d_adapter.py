"""ConvNeXt-Tiny inflated to video: every third block also filters over the frames before and after.

Liu, Mao, Wu, Feichtenhofer, Darrell, Xie: A ConvNet for the 2020s, CVPR 2022. https://arxiv.org/abs/2201.03545
The parameters have the names and sizes of those in DOVER's file.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

WIDTHS, DEPTHS = (96, 192, 384, 768), (3, 3, 9, 3)
LENGTHS = (1, 3, 1)  # of a stage's filters in frames, a pattern that repeats from block to block
EPS = 1e-6  # of the normalisation; also the initial scale of a block's change


class ChannelNorm(nn.LayerNorm):
    """Normalises the channels of (N, C, T, H, W) maps at each place by itself."""

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(maps.movedim(1, -1)).movedim(-1, 1)


class Block(nn.Module):
    """Filters each channel, applies two layers at each place, and adds their scaled output to the input."""

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv3d(width, width, (length, 7, 7), padding=(length // 2, 3, 3), groups=width)
        self.norm = ChannelNorm(width, EPS)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), EPS))

    def forward(self, maps: Tensor) -> Tensor:
        change: Tensor = self.norm(self.dwconv(maps)).movedim(1, -1)
        change = self.gamma * self.pwconv2(gelu(self.pwconv1(change)))
        return maps + change.movedim(-1, 1)


class InflatedConvNeXt(nn.Module):
    """Four stages: the first halves the frame rate and quarters the size, each other one halves the size."""

    def __init__(self) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv3d(3, WIDTHS[0], (2, 4, 4), (2, 4, 4)), ChannelNorm(WIDTHS[0], EPS))
        halvings = [
            nn.Sequential(ChannelNorm(narrow, EPS), nn.Conv3d(narrow, wide, (1, 2, 2), (1, 2, 2)))
            for narrow, wide in pairwise(WIDTHS)
        ]
        self.downsample_layers = nn.ModuleList([stem, *halvings])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width, LENGTHS[i % 3]) for i in range(depth)))
            for width, depth in zip(WIDTHS, DEPTHS, strict=True)
        )
        self.norm = ChannelNorm(WIDTHS[-1], EPS)

    def forward(self, clip: Tensor) -> Tensor:
        """Returns the (1, 768, T / 2, 7, 7) maps of a (1, 3, T, 224, 224) clip."""
        for smaller, stage in zip(self.downsample_layers, self.stages, strict=True):
            clip = stage(smaller(clip))
        maps: Tensor = self.norm(clip)
        return maps
