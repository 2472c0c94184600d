"""Gradient-norm regularisation: training that keeps the gradient of the score to the pixels small.

Liu, Yang, Li, Ding, Jiang. Defense against adversarial attacks on no-reference image quality models with gradient norm
regularization. CVPR 2024. https://arxiv.org/abs/2403.11397
To first order, a change of eps in every pixel moves a score by eps times the l1 norm of its gradient, the slope
along the gradient's signs: a finite difference, without second derivatives (section 4). As published, for pixels
divided by ImageNet's deviations, strength 1e-3 and step 0.01; here pixels are in [0, 1], and qualities count as shares
of 100.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from defences.base import Images, Qualities, RobustTraining


@dataclass(frozen=True)
class GradientNorm(RobustTraining):
    strength: float = 5e-5  # lambda
    step: float = 0.00225  # h: about half a level of 255

    def loss(
        self,
        rate: Callable[[Images], Qualities],
        images: Images,
        labels: Qualities,
        error: Callable[[Qualities, Qualities], Tensor],
        generator: torch.Generator,
    ) -> Tensor:
        if not self.strength:
            return error(rate(images), labels)
        images = images.detach().requires_grad_()
        qualities = rate(images)
        norms = slopes(rate, images, qualities, self.step) / 100
        return error(qualities, labels) + self.strength * norms.square().mean() / 2


def slopes(rate: Callable[[Images], Qualities], images: Images, qualities: Qualities, step: float) -> Tensor:
    """Returns the (N,) slopes along the signs of the gradients, which are held constant: l1 norms, for a small step.

    Args:
        rate: The metric; an image's quality must not depend on the others.
        images: (N, 3, H, W), with `requires_grad`.
        qualities: What the metric says of them.
        step: How far every pixel is moved.
    """
    (gradients,) = torch.autograd.grad(qualities.sum(), images, retain_graph=True)
    return (rate(images.detach() + step * gradients.sign()) - qualities) / step
