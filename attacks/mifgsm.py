"""MI-FGSM: momentum iterative fast gradient sign method.

Dong et al. Boosting adversarial attacks with momentum. CVPR, 2018.
https://arxiv.org/abs/1710.06081
The momentum sums the gradients as they are, as the base benchmark's published code does: a large gradient weighs more
than a small one. `normalise` divides each gradient by its mean magnitude first, as the paper does.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class MIFGSM(Attack):
    access = "white"
    family = "sign"
    suite = "base"
    formula = "g ← decay·g + ∇J(y); y ← clip(y + step·sign g), from y = x, g = 0"
    differs = (
        "nothing in the formula: page and published code sum the gradients as they are; normalise, off by default, is "
        "the paper's division of ∇J(y) by mean |∇J(y)|. Clipped as in ifgsm."
    )

    step: float = 1 / 255
    steps: int = 10
    decay: float = 1.0  # nu: the share of the earlier gradients that each step keeps
    normalise: bool = False

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        return climb(
            images, objective, self.eps, self.step, steps=self.steps, decay=self.decay, normalise=self.normalise
        )

    def budget(self) -> Budget:
        return Budget(queries=self.steps, gradients=self.steps)


def climb(
    images: Images,
    objective: Objective,
    radius: Tensor | float,
    step: Tensor | float,
    *,
    steps: int,
    decay: float,
    normalise: bool,
) -> Images:
    """Takes sign steps along the decaying sum of gradients.

    Args:
        images: The clear images, (N, 3, H, W) in [0, 1].
        objective: The number to raise.
        radius: The largest change of a channel value: one number, or (N, 1, 1, 1) for a radius per image.
        step: The length of a step, likewise.
        steps: How many steps.
        decay: The share of the earlier gradients that each step keeps.
        normalise: Whether to divide each gradient by its mean magnitude.

    Returns:
        The adversarial images, within `radius` and [0, 1].
    """
    adversarial, direction = images, torch.zeros_like(images)
    for _ in range(steps):
        gradient = objective.gradient(adversarial)
        if normalise:
            gradient = gradient / gradient.abs().mean((1, 2, 3), keepdim=True).clamp_min(torch.finfo().tiny)
        direction = decay * direction + gradient
        adversarial = torch.clamp(adversarial + step * direction.sign(), images - radius, images + radius).clamp(0, 1)
    return adversarial
