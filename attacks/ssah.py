"""SSAH: Adam steps that leave the low frequencies alone.

Luo, Lin, Xie, Wu, Wang. Frequency-driven imperceptible adversarial attack on semantic similarity. CVPR, 2022.
https://arxiv.org/abs/2203.05151
The attack raises the objective minus 0.1 times the smooth l1 norm of the change in the low band of Haar wavelets, as
later work on attacks of metrics does. The norm is a sum over the image, as in the published code: a mean is so small
beside the gain that its weight has no effect. The paper's loss on a classifier's features has no counterpart for a
metric. The published code moves tanh's argument instead of the pixels, for 150 steps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad, smooth_l1_loss

from metric_robustness.attacks.adam_adapter import Ascent
from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class SSAH(Attack):
    access = "white"
    family = "optimised"
    formula = (
        "y ← clip(y + lr·adam(∇(J(y) - weight·Σ smooth_l1(L(y) - L(x))))), L the low band of Haar wavelets, from y = x"
    )
    differs = (
        "not on the page. The objective stands in the place of the paper's loss on a classifier's features, which has "
        "no counterpart for a metric; eps is added to make it comparable."
    )

    lr: float = 0.001
    steps: int = 10
    weight: float = 0.1  # of the change in the low band; the gain has weight 1

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        adversarial, low, ascent = images, low_band(images), Ascent()
        for _ in range(self.steps):
            gradient = objective.gradient(adversarial) - self.weight * low_gradient(adversarial, low)
            adversarial = self.project(adversarial + self.lr * ascent.update(gradient), images)
        return adversarial

    def budget(self) -> Budget:
        return Budget(queries=self.steps, gradients=self.steps)


def low_band(images: Images) -> Tensor:
    """Returns the (N, 3, ceil(H/2), ceil(W/2)) low band of orthonormal Haar wavelets, twice the mean of 2x2 pixels."""
    height, width = images.shape[2:]
    return 2 * avg_pool2d(pad(images, (0, width % 2, 0, height % 2), mode="replicate"), 2)


def low_gradient(adversarial: Images, low: Tensor) -> Images:
    """Returns the gradient of each image's smooth l1 distance, a sum, between its low band and `low`."""
    with torch.enable_grad():
        adversarial = adversarial.detach().requires_grad_()
        distance = smooth_l1_loss(low_band(adversarial), low, reduction="sum")
        (gradient,) = torch.autograd.grad(distance, adversarial)
    return gradient
