"""Flicker: how far the change of a clip jumps from frame to frame, which PSNR, a mean over frames, does not see."""

from __future__ import annotations

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images


class Flicker:
    """Follows the frames of a clip, some at a time: with d the attacked frame less the clear one, |d_t - d_(t-1)|.

    A change that stands still has none, and noise that is drawn anew for each frame has most. Levels are whole
    numbers, so that the windows in which the frames come do not move a digit.
    """

    def __init__(self) -> None:
        self.last: Tensor | None = None  # the change of the frame before, (1, 3, H, W)
        self.steps: list[float] = []

    def follow(self, attacked: Images, clear: Images) -> None:
        """Adds the next frames, (N, 3, H, W) on the 256 levels."""
        changes = (attacked * 255).round_() - (clear * 255).round_()
        followed = changes if self.last is None else torch.cat([self.last, changes])
        self.steps += followed.diff(dim=0).abs_().double().mean(dim=(1, 2, 3)).tolist()
        self.last = changes[-1:]

    @property
    def mean(self) -> float | None:
        """Returns the mean over pixels and frames, in 255ths; None for a clip of one frame."""
        return sum(self.steps) / len(self.steps) if self.steps else None
