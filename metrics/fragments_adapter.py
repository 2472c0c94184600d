"""Shared base of FAST-VQA and DOVER: what they see of frames and of a video, and the rating of clips.

Wu, Chen, Hou, Liao, Wang, Sun, Yan, Lin: FAST-VQA: efficient end-to-end video quality assessment with fragment
sampling, ECCV 2022. https://arxiv.org/abs/2207.02595

A frame is cut into 7x7 cells, and of each a patch of 32x32 pixels is taken as it is; side by side these are the
fragments, 224x224 pixels. The authors draw the patches' places within the cells anew for every clip. Here they are the
middles of the cells, the same in all frames, so that a video has one score; where they draw frames, it is the middle,
too.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.utils.checkpoint import checkpoint
from torchvision.transforms.functional import normalize

from metrics.base import Images, Scores
from metrics.swin3d_adapter import NAMES
from metrics.weights_adapter import read_state

CELLS, PATCH = 7, 32  # per side; pixels
SIDE = CELLS * PATCH
FRAMES, INTERVAL = 32, 2  # of a clip; from one of its frames to the next
SPAN = FRAMES * INTERVAL
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Clip: TypeAlias = tuple[int, ...]  # the frames of a video that it holds


def middles(length: int, parts: int, size: int) -> list[int]:
    """Returns where stretches of a size begin, one in the middle of each part; where it is too long, with the part."""
    part = length // parts
    return [i * part + max(part - size, 0) // 2 for i in range(parts)]


def clip_from(start: int, length: int) -> Clip:
    """Returns the clip that begins at a frame of a video; where the video ends, it begins again."""
    return tuple((start + i * INTERVAL) % length for i in range(FRAMES))


def spread_clip(length: int) -> Clip:
    """Returns the clip of one frame from each part of a video; of one too short for that, its first frame only."""
    return tuple(middles(length, FRAMES, INTERVAL))


def fragments(frames: Images) -> Images:
    """Returns the (T, 3, 224, 224) fragments of frames of at least 32x32 pixels.

    Smaller frames are enlarged, the shorter side to 224. As in the authors' code, the cells are those of the original
    size, so of an enlarged frame only the upper left part is seen; unlike there, values are not rounded to 8 bits.
    """
    height, width = frames.shape[2:]
    ratio = min(height, width) / SIDE
    if ratio < 1:
        frames = interpolate(frames, scale_factor=1 / ratio, mode="bilinear")
    rows, columns = (_patches(length, frames.device) for length in (height, width))
    return normalised(frames[..., rows, :][..., columns])


def _patches(length: int, device: torch.device) -> Tensor:
    """Returns which rows, or columns, the patches hold; cells at the end that a patch does not fit in overlap."""
    starts = [min(start, length - PATCH) for start in middles(length, CELLS, PATCH)]
    return torch.tensor([start + i for start in starts for i in range(PATCH)], device=device)


def shrunk(frames: Images) -> Images:
    """Returns frames at 224x224 pixels, whatever their shape was."""
    return normalised(interpolate(frames, size=(SIDE, SIDE), mode="bilinear"))


def normalised(frames: Images) -> Images:
    """Returns frames as the networks were trained on them."""
    pixels: Images = normalize(frames, MEAN, DEVIATION)
    return pixels


class Branch(nn.Module):
    """A network, and what rates every place of its last maps; the rating of a clip is their mean."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        layers = {"fc_hid": nn.Conv3d(768, 64, 1), "gelu": nn.GELU(), "fc_last": nn.Conv3d(64, 1, 1)}
        self.head = nn.Sequential(OrderedDict(layers))

    def forward(self, frames: Images) -> Tensor:
        """Returns the rating of a clip of 224x224 pixels, a single number."""
        rating: Tensor = self.head(self.backbone(frames.movedim(0, 1)[None])).mean()
        return rating

    def rate(self, videos: Tensor, clips: Sequence[Clip]) -> Scores:
        """Returns the (N,) mean ratings of the clips of each video.

        Equal clips, of which short videos have many, are rated once. For the gradient each clip's maps are computed
        again, or those of all clips would be held, over 2 GB each.

        Args:
            videos: (N, T, 3 * 224 * 224) pixels of their frames.
            clips: Which of the frames each clip holds.
        """
        counted = Counter(clips)
        ratings = [torch.stack([self._rating(video, clip) for clip in counted]) for video in videos]
        times = videos.new_tensor(list(counted.values()))
        return torch.stack(ratings) @ times / len(clips)

    def _rating(self, video: Tensor, clip: Clip) -> Tensor:
        frames = video[list(clip)].view(-1, 3, SIDE, SIDE)
        rating: Tensor = checkpoint(self, frames, use_reentrant=False)
        return rating


def load_published(metric: nn.Module, weights: str, parts: Mapping[str, str]) -> None:
    """Loads the authors' file.

    Args:
        metric: What it holds the parameters of, no more and no less.
        weights: The file, as an entry declares it.
        parts: What the authors call the metric's parts.
    """
    held: Mapping[str, Any] = read_state(weights)
    state: Mapping[str, Tensor] = held.get("state_dict", held)
    metric.load_state_dict({_renamed(name, {**parts, **NAMES}): value for name, value in state.items()})


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for theirs, ours in names.items():
        name = name.replace(theirs, ours)
    return name
