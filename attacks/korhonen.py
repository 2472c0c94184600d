"""Korhonen & You: Adam steps where edges hide them.

Korhonen, You. Adversarial attacks against blind image quality assessment models. QoEVMA, 2022.
https://doi.org/10.1145/3552469.3555715
A map of spatial activity weighs Adam's update. `published` does what the base benchmark's code does: a map of the
signed horizontal derivative weighs the gradient instead, and no eps bounds the change. Adam divides by the gradient's
size, so this weight cancels, except where the gradient is as small as Adam's constant, 1e-8.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class Korhonen(Attack):
    access = "white"
    family = "optimised"
    suite = "base"
    formula = "A = dilate(|Sobel(luma(x))| / max, 5x5 without corners); y ← clip(y + lr·A·adam(∇J(y))), from y = x"
    differs = (
        "the published code weighs the gradient by A / 255, which Adam's division cancels, takes the signed "
        "horizontal derivative for A, and has no eps (variant published). Here A weighs the update, or it would have "
        "no effect; it is a magnitude, so that edges of all directions count; and eps makes it comparable."
    )
    variants = {"published": {"weighed": "gradient", "edges": "horizontal", "eps": 1.0}}

    lr: float = 0.005
    steps: int = 10
    weighed: Literal["update", "gradient"] = "update"
    edges: Literal["magnitude", "horizontal"] = "magnitude"

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        activity = activity_map(images, self.edges)
        before, after = (1, activity) if self.weighed == "update" else (activity / 255, 1)
        adversarial, mean, square = images, torch.zeros_like(images), torch.zeros_like(images)
        for step in range(1, self.steps + 1):
            gradient = before * objective.gradient(adversarial)
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient.square()
            size = (square / (1 - 0.999**step)).sqrt()
            # 1e-8 is relative to the image's largest gradient, so that the metric's scale does not matter.
            unit = size.amax((1, 2, 3), keepdim=True) if self.weighed == "update" else 1
            update = after * mean / (1 - 0.9**step) / (size + 1e-8 * unit).clamp_min(torch.finfo().tiny)
            adversarial = self.project(adversarial + self.lr * update, images)
        return adversarial

    def budget(self) -> Budget:
        return Budget(queries=self.steps, gradients=self.steps)


def activity_map(images: Images, edges: Literal["magnitude", "horizontal"]) -> Tensor:
    """Returns the (N, 1, H, W) activity of (N, 3, H, W) images: Sobel edges of the luma, divided by their maximum.

    The edges are dilated by a 5x5 window without its corners. A flat image has activity 1 everywhere.

    Args:
        images: (N, 3, H, W) in [0, 1].
        edges: Whether to take the gradient's magnitude or its signed horizontal part.
    """
    luma = 0.299 * images[:, :1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:]
    # Differences first: on flat areas they are exactly 0, which sums of rounded products are not.
    dx, dy = luma[..., 2:] - luma[..., :-2], luma[..., 2:, :] - luma[..., :-2, :]
    sobel = dx[..., :-2, :] + 2 * dx[..., 1:-1, :] + dx[..., 2:, :]
    if edges == "magnitude":
        sobel = torch.hypot(sobel, dy[..., :-2] + 2 * dy[..., 1:-1] + dy[..., 2:])
    sobel = pad(sobel, (1, 1, 1, 1))
    peak = sobel.amax((2, 3), keepdim=True)
    sobel = (sobel / peak).where(peak > 0, 1)
    return torch.maximum(max_pool2d(sobel, (5, 3), 1, (2, 1)), max_pool2d(sobel, (3, 5), 1, (1, 2)))
