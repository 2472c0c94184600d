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
from torch.nn.functional import conv2d, group_norm, interpolate, silu

from metric_robustness.attacks.base import Images, Noise, Objective, Pattern, State, Universal
from metric_robustness.attacks.optimized_uap import ascend, with_moments

GROUPS = 4  # of channels, normalised together


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
    width: int = 16  # channels of the first level, a multiple of GROUPS
    levels: int = 4  # each halves the side and doubles the channels, up to 4 * width

    def begin(self, noise: Noise) -> State:
        sizes = torch.cat([torch.full((shape.numel(),), (2 / shape[1:].numel()) ** 0.5) for shape in self.shapes()])
        weights = sizes * noise.normal(torch.empty(1, len(sizes)))[0]  # He et al., 2015
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

    def shapes(self) -> list[torch.Size]:
        """Returns the shapes of the convolutions: down, up, and one that makes the pattern's three channels."""
        wide = [3, *(self.width * min(2**level, 4) for level in range(self.levels))]
        down = [(wide[level + 1], wide[level], 3, 3) for level in range(self.levels)]
        up = [(wide[level], wide[level + 1] + wide[level], 3, 3) for level in range(self.levels - 1, 0, -1)]
        return [torch.Size(shape) for shape in [*down, *up, (3, wide[1] + 3, 3, 3)]]

    def drawn(self, weights: Tensor, source: Tensor) -> Pattern:
        """Returns the (3, S, S) pattern that the U-Net with these flat weights makes of (1, 3, S, S) noise."""
        shapes = self.shapes()
        kernels = [
            part.view(shape)
            for part, shape in zip(torch.split(weights, [shape.numel() for shape in shapes]), shapes, strict=True)
        ]
        features, skipped = source, []
        for kernel in kernels[: self.levels]:
            skipped.append(features)
            features = silu(group_norm(conv2d(features, kernel, stride=2, padding=1), GROUPS))
        for kernel in kernels[self.levels :]:
            skip = skipped.pop()
            features = torch.cat([interpolate(features, size=skip.shape[-2:]), skip], dim=1)
            features = conv2d(features, kernel, padding=1)
            if skipped:
                features = silu(group_norm(features, GROUPS))
        return self.eps * features[0].tanh()
