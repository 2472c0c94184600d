"""Shared base of FAST-VQA and DOVER: their fragments of frames, clips of a video, and rating of clips.

Wu, Chen, Hou, Liao, Wang, Sun, Yan, Lin: FAST-VQA: efficient end-to-end video quality assessment with fragment
sampling, ECCV 2022. https://arxiv.org/abs/2207.02595

Fragments are 7x7 patches of 32x32 pixels, one from each cell of a frame, side by side in 224x224 pixels. Patches are
not resized. The authors draw each patch's place within its cell anew for every clip, and some frames at random. Here
both are the middle one, so that a video has one score.
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

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.swin3d_adapter import NAMES
from metric_robustness.metrics.weights_adapter import read_state

CELLS, PATCH = 7, 32  # cells per side of a frame, and the side of a patch in pixels
SIDE = CELLS * PATCH
FRAMES, INTERVAL = 32, 2  # frames of a clip, and the step from one to the next
SPAN = FRAMES * INTERVAL
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Clip: TypeAlias = tuple[int, ...]  # indices of its frames in the video


def middles(length: int, parts: int, size: int) -> list[int]:
    """Returns the starts of stretches of `size`, one centred in each of `parts`; one too long starts with its part."""
    part = length // parts
    return [i * part + max(part - size, 0) // 2 for i in range(parts)]


def clip_from(start: int, length: int) -> Clip:
    """Returns the clip from frame `start` of a video of `length` frames, which is repeated if it is too short."""
    return tuple((start + i * INTERVAL) % length for i in range(FRAMES))


def spread_clip(length: int) -> Clip:
    """Returns a clip of one frame from each of 32 parts of a video; one under 32 frames repeats its first frame."""
    return tuple(middles(length, FRAMES, INTERVAL))


def fragments(frames: Images) -> Images:
    """Returns the (T, 3, 224, 224) fragments of frames of at least 32x32 pixels.

    Where a side is below 224 pixels, frames are enlarged until the shorter side has 224. As in the authors' code, their
    cells keep the original size, so the fragments show only the upper left part of an enlarged frame. Unlike there,
    values are not rounded to 8 bits.
    """
    height, width = frames.shape[2:]
    ratio = min(height, width) / SIDE
    if ratio < 1:
        frames = interpolate(frames, scale_factor=1 / ratio, mode="bilinear")
    rows, columns = (_patches(length, frames.device) for length in (height, width))
    return normalised(frames[..., rows, :][..., columns])


def _patches(length: int, device: torch.device) -> Tensor:
    """Returns the rows, or columns, of the patches; patches that would leave the frame are moved inside."""
    starts = [min(start, length - PATCH) for start in middles(length, CELLS, PATCH)]
    return torch.tensor([start + i for start in starts for i in range(PATCH)], device=device)


def shrunk(frames: Images) -> Images:
    """Returns (T, 3, H, W) frames resized to 224x224 pixels, without regard to their proportions."""
    return normalised(interpolate(frames, size=(SIDE, SIDE), mode="bilinear"))


def normalised(frames: Images) -> Images:
    """Returns frames with the mean and deviation that the networks were trained on."""
    pixels: Images = normalize(frames, MEAN, DEVIATION)
    return pixels


class Branch(nn.Module):
    """A network and a head that rates each place of its last maps; a clip's rating is the mean over the places."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        layers = {"fc_hid": nn.Conv3d(768, 64, 1), "gelu": nn.GELU(), "fc_last": nn.Conv3d(64, 1, 1)}
        self.head = nn.Sequential(OrderedDict(layers))

    def forward(self, frames: Images) -> Tensor:
        """Returns the rating of one clip, (T, 3, 224, 224) to a single number."""
        rating: Tensor = self.head(self.backbone(frames.movedim(0, 1)[None])).mean()
        return rating

    def rate(self, videos: Tensor, clips: Sequence[Clip]) -> Scores:
        """Returns the (N,) mean ratings of the clips of each video.

        Short videos have many equal clips, each of which is rated once. The gradient computes each clip's maps again:
        keeping them would take over 2 GB per clip.

        Args:
            videos: (N, T, 3 * 224 * 224), the pixels of their frames.
            clips: The clips, the same for each video.
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
        metric: The network, all of whose parameters the file must hold and no others.
        weights: The file, as an entry declares it.
        parts: The authors' name of each part: our name.
    """
    held: Mapping[str, Any] = read_state(weights)
    state: Mapping[str, Tensor] = held.get("state_dict", held)
    metric.load_state_dict({_renamed(name, {**parts, **NAMES}): value for name, value in state.items()})


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for theirs, ours in names.items():
        name = name.replace(theirs, ours)
    return name
