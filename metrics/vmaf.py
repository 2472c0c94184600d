"""VMAF v0.6.1 of single images: detail losses and information fidelity, rated by a support vector machine, no motion.

Li, Aaron, Katsavounidis, Moorthy, Manohara: Toward a practical perceptual video quality metric, Netflix 2016.
https://netflixtechblog.com/toward-a-practical-perceptual-video-quality-metric-653f208b9652

In floating point, of the luma of BT.601. Without motion an image equal to its reference has 97.4, not 100.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metrics.base import FullReference, Images, Scores
from metrics.pyiqa_adapter import finite_gradient
from metrics.vmaf_adapter import detail, fidelity
from metrics.weights_adapter import loading

LUMA = (65.481, 128.553, 24.966)
NAMES = ("slopes", "intercepts", "support_vectors", "alpha", "gamma", "rho", "slope", "intercept")


class Vmaf(FullReference):
    higher_is_better = True
    score_range = (0.0, 100.0)
    smallest = 64
    trained_on = "NFLX"
    licence = "BSD-2-Clause-Patent (model)"
    verified = "the authors' score of a clip, with motion added"
    weights = ("hub/checkpoints/vmaf_v0.6.1-507428d3.npz",)

    slopes: Tensor
    intercepts: Tensor
    support_vectors: Tensor
    alpha: Tensor
    gamma: Tensor
    rho: Tensor
    slope: Tensor
    intercept: Tensor

    def __init__(self) -> None:
        super().__init__()
        with loading("VMAF", self.weights), np.load(Path(torch.hub.get_dir()) / self.weights[0][4:]) as machine:
            for name in NAMES:
                self.register_buffer(name, torch.as_tensor(machine[name]).double(), persistent=False)

    def score(self, images: Images, references: Images) -> Scores:
        return self.rated(*(_luma(finite_gradient(side)) for side in (images, references)))

    def rated(self, images: Tensor, references: Tensor, motion: float | Tensor = 0.0) -> Scores:
        """Returns the scores of (N, 1, H, W) float64 lumas in 0...255, given how far the clip moves."""
        losses = detail(images, references)
        moved = torch.zeros_like(losses) + motion
        features = torch.cat([torch.stack([losses, moved], dim=1), fidelity(images, references)], dim=1)
        distances = (features * self.slopes + self.intercepts)[:, None] - self.support_vectors
        raw = torch.exp(-self.gamma * distances.square().sum(dim=2)) @ self.alpha - self.rho
        scores: Tensor = (raw - self.intercept) / self.slope
        return scores


def _luma(images: Images) -> Tensor:
    return 16 + (images.double() * torch.tensor(LUMA, device=images.device)[:, None, None]).sum(dim=1, keepdim=True)
