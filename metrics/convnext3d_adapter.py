"""ConvNeXt-Tiny inflated to video: every third block also looks at the frame before and the frame after.

Liu, Mao, Wu, Feichtenhofer, Darrell, Xie: A ConvNet for the 2020s, CVPR 2022. https://arxiv.org/abs/2201.03545
Names and sizes of the parameters are those of DOVER's file.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

WIDTHS, DEPTHS = (96, 192, 384, 768), (3, 3, 9, 3)
LENGTHS = (1, 3, 1)  # in frames, of a stage's first, second and third filter, and again
EPS = 1e-6


class ChannelNorm(nn.LayerNorm):
    """Normalises the channels of (N, C, T, H, W) maps, place by place."""

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(maps.movedim(1, -1)).movedim(-1, 1)


class Block(nn.Module):
    """A filter of each channel, then two layers at each place; what they say is scaled and added."""

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
    """Four stages, the first at half the frame rate and a quarter of the size, each other at half the size again."""

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
