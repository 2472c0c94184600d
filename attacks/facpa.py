"""FACPA: a U-Net, trained once for each metric, draws each image's change in one pass.

Shumitskaya, Antsiferova, Vatolin. Fast adversarial CNN-based perturbation attack on no-reference image- and
video-quality metrics. ICLR, tiny papers, 2023. https://arxiv.org/abs/2305.15544
Unlike a universal pattern, the change depends on the image; unlike a search, it asks the metric nothing any more, so
that it is fast enough for video. What the fit finds are the network's weights.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch

from metric_robustness.attacks.base import Images, Noise, Objective, Pattern, State, Universal
from metric_robustness.attacks.optimized_uap import ascend, with_moments
from metric_robustness.attacks.unet_adapter import first_weights, kernel_shapes, passed


@dataclass(frozen=True)
class FACPA(Universal):
    formula = "y = clip(x + eps·tanh(U(x; w))), w ← w + lr·adam(∂ mean J(clip(crop + eps·tanh(U(crop; w)))) / ∂w)"
    differs = (
        "not on the page. The paper's U-Net has 54 million weights, this one 0.17 million, so that a fit needs no GPU; "
        "`width` and `levels` make it larger."
    )

    eps: float = 10 / 255
    amplitudes: tuple[float, ...] = (1.0,)
    least_steps: int = 300
    lr: float = 0.001
    width: int = 16  # channels of the first level, a multiple of 4
    levels: int = 4  # each halves the side and doubles the channels, up to 4 * width

    @property
    def pattern_shape(self) -> tuple[int, ...]:
        return (sum(shape.numel() for shape in kernel_shapes(self.width, self.levels)),)

    def begin(self, noise: Noise) -> State:
        return with_moments({"weights": first_weights(kernel_shapes(self.width, self.levels), noise)}, "weights")

    def step(self, state: State, crops: Images, objective: Objective) -> State:
        weights = state["weights"].detach().requires_grad_()
        with torch.enable_grad():
            change = self.added(weights, crops)
        slope = self.gradients(change.detach(), crops, objective) / len(crops)
        (gradient,) = torch.autograd.grad(change, weights, slope)
        return ascend(state, "weights", gradient, self.lr)

    def reached(self, state: State) -> Pattern:
        return state["weights"]

    def at(self, amplitude: float, pattern: Pattern) -> Self:
        return replace(self, eps=amplitude * self.eps, pattern=pattern)

    def added(self, pattern: Pattern, images: Images) -> Images:
        """Returns the change of each image by the U-Net with these flat weights, (N, 3, H, W) within eps."""
        return self.eps * passed(pattern, kernel_shapes(self.width, self.levels), images - 0.5).tanh()
