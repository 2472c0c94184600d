"""Generative UAP: a U-Net draws the pattern from fixed noise, and Adam trains its weights.

Poursaeed et al. Generative adversarial perturbations. CVPR, 2018.
https://arxiv.org/abs/1712.02328
The U-Net is smaller than the published one: 0.2 million weights instead of 16 million. It normalises groups of
channels, which computes the same in training and afterwards. Its output, tanh times eps, keeps the pattern within
10/255. The published code has no `least_steps`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metric_robustness.attacks.base import Images, Noise, Objective, Pattern, State, Universal
from metric_robustness.attacks.optimized_uap import ascend, with_moments
from metric_robustness.attacks.unet_adapter import first_weights, kernel_shapes, passed


@dataclass(frozen=True)
class GenerativeUAP(Universal):
    suite = "base"
    formula = (
        "p = eps·tanh(U(z; w)), w ← w + lr·adam(∂ mean J(clip(crop + p)) / ∂w), z uniform in [0, 1); y = clip(x + "
        "amplitude·tile(p))"
    )
    differs = (
        "the U-Net has 0.17 million weights, the published code's 54 million, so that a fit needs no GPU; it "
        "normalises groups of channels. The noise z stays as it was drawn: the published code clips it to 10/255 "
        "after the first step, and so nearly to a constant. Clipped and drawn as in optimized_uap."
    )
    eps: float = 10 / 255
    epochs: int = 1
    lr: float = 0.001
    width: int = 16  # channels of the first level, a multiple of 4
    levels: int = 4  # each halves the side and doubles the channels, up to 4 * width

    def begin(self, noise: Noise) -> State:
        weights = first_weights(kernel_shapes(self.width, self.levels), noise)
        source = noise.uniform(torch.empty(1, 3, self.crop, self.crop)).add_(1).div_(2)
        return with_moments({"weights": weights, "source": source}, "weights")

    def step(self, state: State, crops: Images, objective: Objective) -> State:
        weights = state["weights"].detach().requires_grad_()
        with torch.enable_grad():
            pattern = self.drawn(weights, state["source"])
        slope = self.gradients(pattern.detach(), crops, objective).mean(dim=0)
        (gradient,) = torch.autograd.grad(pattern, weights, slope)
        return ascend(state, "weights", gradient, self.lr)

    def reached(self, state: State) -> Pattern:
        return self.drawn(state["weights"], state["source"])

    def drawn(self, weights: Tensor, source: Tensor) -> Pattern:
        """Returns the (3, S, S) pattern that the U-Net with these flat weights makes of (1, 3, S, S) noise."""
        return self.eps * passed(weights, kernel_shapes(self.width, self.levels), source)[0].tanh()
