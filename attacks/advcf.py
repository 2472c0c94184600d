"""AdvCF: a colour curve for each channel, as photographers draw them.

Zhao, Liu, Larson. Adversarial color enhancement: generating unrestricted adversarial images by optimizing a color
filter. BMVC, 2020. https://arxiv.org/abs/2002.01008
The curve is F(x) = K / sum(P) * sum_i clip(x - i/K, 0, 1/K) * P_i: monotone, from 0 to 1, of K straight pieces. It
moves whole regions alike, so nothing bounds the change of a pixel, and the attack is ranked apart.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.adam_adapter import Ascent
from attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class AdvCF(Attack):
    access = "white"
    family = "colour"

    eps: float = 1.0
    pieces: int = 64  # K
    lr: float = 0.01
    steps: int = 10
    pull: float = 0.5  # of the slopes' mean squared distance from the identity against the gain

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        identity = images.new_ones(len(images), 3, self.pieces)
        slopes, ascent = identity, Ascent()
        for _ in range(self.steps):
            with torch.enable_grad():
                slopes = slopes.detach().requires_grad_()
                filtered = curved(images, slopes)
                towards = objective.gradient(filtered.detach().clamp(0, 1))
                away = (slopes - identity).square().mean(dim=(1, 2)).sum()
                value = (filtered * towards).sum() - self.pull * away
                (gradient,) = torch.autograd.grad(value, slopes)
            slopes = (slopes + self.lr * ascent.update(gradient)).clamp_min(0)  # monotone
        return curved(images, slopes)

    def budget(self) -> Budget:
        return Budget(queries=self.steps, gradients=self.steps)


def curved(images: Images, slopes: Tensor) -> Images:
    """Returns the images after the curves of (N, 3, K) slopes; equal slopes change nothing."""
    pieces = slopes.shape[2]
    total = slopes.sum(dim=2, keepdim=True)
    slopes = torch.where(total > 0, slopes / total, 1 / pieces)
    below = slopes.cumsum(dim=2) - slopes  # F at the left end of each piece
    values = images.flatten(2)
    piece = (values * pieces).long().clamp_(max=pieces - 1)
    curve = below.gather(2, piece) + (values * pieces - piece) * slopes.gather(2, piece)
    return curve.view_as(images)
