"""AdvCF: a colour curve for each channel, as photographers draw them.

Zhao, Liu, Larson. Adversarial color enhancement: generating unrestricted adversarial images by optimizing a color
filter. BMVC, 2020. https://arxiv.org/abs/2002.01008
The curve is F(x) = K / sum(P) * sum_i clip(x - i/K, 0, 1/K) * P_i: monotone, from 0 to 1, of K straight pieces. It
shifts whole regions alike, so the attack sets no bound on the change of a pixel, and the leaderboard ranks it apart.
The authors' code keeps the mildest curve that fools a classifier. This one keeps the curve with the highest objective
as rounded to 8 bits, because the last curve is not always the best. The clear image counts: no image ends below it.
The authors' slopes begin at 1/K and take up to 500 Adam steps of .01; later work on metrics takes 10 steps of .1. Here
they begin at 1, so that .1 means a tenth of the identity's slope: 10 such steps of .01 change next to nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metric_robustness.attacks.adam_adapter import Ascent
from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective
from metric_robustness.attacks.best_adapter import Best


@dataclass(frozen=True)
class AdvCF(Attack):
    access = "white"
    family = "colour"
    formula = (
        "y = F(x; P), F(v; P) = (K / ΣP)·Σ clip(v - i / K, 0, 1 / K)·P(i) per channel, K = pieces; P ← max(0, P + "
        "lr·adam(∂(J(y) - pull·mean (P - 1)²) / ∂P)), from P = 1"
    )
    differs = (
        "not on the page. The objective stands in the place of the paper's loss on a classifier. No eps: a colour "
        "curve shifts whole regions, so it is ranked apart."
    )

    eps: float = 1.0
    pieces: int = 64  # K
    lr: float = 0.1
    steps: int = 10
    pull: float = 0.5  # weight of the slopes' mean squared distance from the identity; the gain has weight 1

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        identity = images.new_ones(len(images), 3, self.pieces)
        slopes, ascent = identity, Ascent()
        best = Best(self, images, objective)
        for _ in range(self.steps):
            with torch.enable_grad():
                slopes = slopes.detach().requires_grad_()
                filtered = curved(images, slopes)
                towards = objective.gradient(filtered.detach().clamp(0, 1))
                away = (slopes - identity).square().mean(dim=(1, 2)).sum()
                value = (filtered * towards).sum() - self.pull * away
                (gradient,) = torch.autograd.grad(value, slopes)
            slopes = (slopes.detach() + self.lr * ascent.update(gradient)).clamp_min(0)  # keeps the curve monotone
            best.offer(self.project(curved(images, slopes), images))
        return best.images

    def budget(self) -> Budget:
        return Budget(queries=2 * self.steps + 1, gradients=self.steps)  # a curve's gradient, the next one's value


def curved(images: Images, slopes: Tensor) -> Images:
    """Applies to each channel the curve that (N, 3, K) slopes describe; equal slopes return the images unchanged."""
    pieces = slopes.shape[2]
    total = slopes.sum(dim=2, keepdim=True)
    slopes = torch.where(total > 0, slopes / total, 1 / pieces)
    below = slopes.cumsum(dim=2) - slopes  # value of F at the left end of each piece
    values = images.flatten(2)
    piece = (values * pieces).long().clamp_(max=pieces - 1)
    curve = below.gather(2, piece) + (values * pieces - piece) * slopes.gather(2, piece)
    return curve.view_as(images)
