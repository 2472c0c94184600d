"""Video Swin Transformer on fragments, whose position biases depend on the patch that a place comes from.

Liu, Ning, Cao, Wei, Zhang, Lin, Hu: Video Swin Transformer, CVPR 2022. https://arxiv.org/abs/2106.13230
Gated relative position biases: section 3.2 of FAST-VQA, https://arxiv.org/abs/2207.02595
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.swin_transformer import SwinTransformerBlock
from torchvision.models.video.swin_transformer import (
    ShiftedWindowAttention3d,
    SwinTransformer3d,
    shifted_window_attention_3d,
)

GRID = (1, 7, 7)  # fragments along time, height and width
UNGATED = 768  # width of the last stage, where each place is a fragment, so that no gate is needed

# The authors' names of torchvision's parts: torchvision's names.
NAMES = {
    ".mlp.fc1.": ".mlp.0.",
    ".mlp.fc2.": ".mlp.3.",
    **{f".layers.{stage}.blocks.": f".features.{2 * stage}." for stage in range(4)},
    **{f".layers.{stage}.downsample.": f".features.{2 * stage + 1}." for stage in range(3)},
}


class FragmentAttention(ShiftedWindowAttention3d):  # type: ignore[misc]  # torchvision has no type hints
    """Window attention with a second table of biases, for two places of one fragment; takes one clip at a time."""

    def __init__(self, *sizes: Any, **options: Any) -> None:
        super().__init__(*sizes, **options)
        self.fragment_position_bias_table = nn.Parameter(torch.zeros_like(self.relative_position_bias_table))

    def forward(self, clip: Tensor) -> Tensor:
        """Returns the (1, T, H, W, C) places of a clip after attention within windows."""
        size = clip.shape[1:4]
        window = [min(*lengths) for lengths in zip(size, self.window_size, strict=True)]
        padded = [-(-places // length) * length for places, length in zip(size, window, strict=True)]
        shift = [0 if window[i] == size[i] else self.shift_size[i] for i in range(3)]
        attended: Tensor = shifted_window_attention_3d(
            clip,
            self.qkv.weight,
            self.proj.weight,
            self.gated_bias(padded, window, shift),
            window,
            self.num_heads,
            shift,
            qkv_bias=self.qkv.bias,
            proj_bias=self.proj.bias,
            training=self.training,
        )
        return attended

    def gated_bias(self, size: Sequence[int], window: Sequence[int], shift: Sequence[int]) -> Tensor:
        """Returns the (windows, heads, N, N) biases for the N places of each window.

        The gate is not a switch: the authors count how many fragments two places are apart and extrapolate linearly.
        """
        places = window[0] * window[1] * window[2]
        index = self.relative_position_index[:places, :places]
        within, across = (
            table[index].permute(2, 0, 1)
            for table in (self.fragment_position_bias_table, self.relative_position_bias_table)
        )
        apart = fragments_apart(size, window, shift, index.device).to(across.dtype)[:, None]
        return torch.addcmul(within, apart, across - within)


def fragments_apart(size: Sequence[int], window: Sequence[int], shift: Sequence[int], device: torch.device) -> Tensor:
    """Returns the (windows, N, N) grid distances between the fragments of each two of a window's N places.

    Args:
        size: Length, height and width of a clip in places, multiples of the window's.
        window: Length, height and width of a window in places.
        shift: By how much the places are rolled before they are cut into windows.
        device: Of the result.
    """
    lengths = zip(size, GRID, strict=True)
    axes = [torch.arange(places, device=device) * fragments // places for places, fragments in lengths]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij")).roll([-step for step in shift], (1, 2, 3))
    cut = [count for places, length in zip(size, window, strict=True) for count in (places // length, length)]
    fragments = grid.reshape(3, *cut).permute(1, 3, 5, 2, 4, 6, 0).flatten(3, 5).flatten(0, 2).float()
    return torch.cdist(fragments, fragments, p=1)


class FragmentSwin(SwinTransformer3d):  # type: ignore[misc]
    """Video Swin-Tiny up to its last maps, without a head."""

    def __init__(self) -> None:
        super().__init__([2, 4, 4], 96, [2, 2, 6, 2], [3, 6, 12, 24], [8, 7, 7], block=_block)
        self.head = nn.Identity()

    def forward(self, clip: Tensor) -> Tensor:
        """Returns the (1, 768, T / 2, 7, 7) maps of a (1, 3, T, 224, 224) clip."""
        maps: Tensor = self.norm(self.features(self.patch_embed(clip)))
        return maps.movedim(-1, 1)


def _block(width: int, heads: int, **options: Any) -> nn.Module:
    attention = ShiftedWindowAttention3d if width == UNGATED else FragmentAttention
    block: nn.Module = SwinTransformerBlock(width, heads, **options | {"attn_layer": attention})
    return block
