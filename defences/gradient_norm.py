"""Gradient-norm regularisation: training that keeps the gradient of the score to the pixels small.

Liu, Yang, Li, Ding, Jiang. Defense against adversarial attacks on no-reference image quality models with gradient norm
regularization. CVPR 2024. https://arxiv.org/abs/2403.11397
To first order, changing every pixel by eps changes a score by at most eps times the l1 norm of its gradient. That norm
is the slope along the gradient's signs, which a finite difference measures without second derivatives (section 4). The
published strength is 1e-3 and the published step 0.01, for pixels divided by ImageNet's deviations. Here pixels are in
[0, 1], and qualities are divided by 100. A network whose norm is a hundred times smaller would feel a strength ten
thousand times less, so the norm counts in parts of what it was before training, times that of `small_cnn`, on which the
default was chosen.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from metric_robustness.defences.base import Images, Qualities, RobustTraining

TYPICAL = 170.0  # norm of small_cnn before training, over crops of Kodak's photographs


@dataclass(frozen=True)
class GradientNorm(RobustTraining):
    strength: float = 5e-5  # lambda, for a network of the norm TYPICAL
    step: float = 0.00225  # h, of pixels in [0, 1]: about half an 8-bit level
    before: float = 0.0  # the metric's own norm before training; 0: it is measured when training begins

    def fitted(self, rate: Callable[[Images], Qualities], images: Images) -> RobustTraining:
        """Returns the training with the metric's norm, to three digits, unless one is set."""
        if self.before or not self.strength:
            return self
        images = images.detach().requires_grad_()
        norms = slopes(rate, images, rate(images), self.step).detach() / 100
        return replace(self, before=float(f"{norms.square().mean().sqrt().item():.3g}"))

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
        if self.before:
            norms = norms * (TYPICAL / self.before)
        return error(qualities, labels) + self.strength * norms.square().mean() / 2


def slopes(rate: Callable[[Images], Qualities], images: Images, qualities: Qualities, step: float) -> Tensor:
    """Returns the (N,) slopes of the qualities along the signs of their gradients; for a small step, the l1 norms.

    The signs count as constants in the slopes' own gradient.

    Args:
        rate: The metric; an image's quality must not depend on the other images.
        images: (N, 3, H, W), with `requires_grad`.
        qualities: The metric's (N,) output for them.
        step: How much each pixel changes.
    """
    (gradients,) = torch.autograd.grad(qualities.sum(), images, retain_graph=True)
    return (rate(images.detach() + step * gradients.sign()) - qualities) / step
