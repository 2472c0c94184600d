"""MI-FGSM: momentum iterative fast gradient sign method.

Dong et al. Boosting adversarial attacks with momentum. CVPR, 2018.
https://arxiv.org/abs/1710.06081
As in the published code of the base benchmark, and unlike in the paper, gradients are summed as they are: a step weighs
as much as its gradient is large. `normalise` divides each by its mean magnitude, as the paper does.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class MIFGSM(Attack):
    access = "white"
    family = "sign"
    suite = "base"

    step: float = 1 / 255
    steps: int = 10
    decay: float = 1.0  # nu: what remains of the earlier gradients at each step
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
    """Returns the images after sign steps along the decaying sum of gradients, within `radius` and [0, 1].

    The largest change of a channel value and the length of a step are the same for all images, or (N, 1, 1, 1).
    """
    adversarial, direction = images, torch.zeros_like(images)
    for _ in range(steps):
        gradient = objective.gradient(adversarial)
        if normalise:
            gradient = gradient / gradient.abs().mean((1, 2, 3), keepdim=True).clamp_min(torch.finfo().tiny)
        direction = decay * direction + gradient
        adversarial = torch.clamp(adversarial + step * direction.sign(), images - radius, images + radius).clamp(0, 1)
    return adversarial
