"""Adversarial training: the metric learns from attacked images too, labelled a little lower.

Madry, Makelov, Schmidt, Tsipras, Vladu. Towards deep learning models resistant to adversarial attacks. ICLR 2018.
https://arxiv.org/abs/1706.06083
Chistyakova et al. Increasing the robustness of image quality assessment models through adversarial training. 2024.
The inner attack is PGD from a random start; it raises the score, as the benchmark's attacks do. An attacked image is
worse than the clear one, so its label is the clear image's label times the SSIM of the two.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from kornia.metrics import ssim
from torch import Tensor

from metric_robustness.defences.base import Images, Qualities, RobustTraining


@dataclass(frozen=True)
class AdversarialTraining(RobustTraining):
    licence = "the project's; kornia: Apache-2.0"

    eps: float = 4 / 255
    steps: int = 3
    strength: float = 1.0  # weight of the attacked images' error; the clear ones' has weight 1

    def loss(
        self,
        rate: Callable[[Images], Qualities],
        images: Images,
        labels: Qualities,
        error: Callable[[Qualities, Qualities], Tensor],
        generator: torch.Generator,
    ) -> Tensor:
        known = error(rate(images), labels)
        if not self.strength:
            return known
        attacked = self.attacked(rate, images, generator)
        with torch.no_grad():
            kept = ssim(attacked, images, window_size=11).mean(dim=(1, 2, 3)).clamp(0, 1)
        return known + self.strength * error(rate(attacked), labels * kept)

    def attacked(self, rate: Callable[[Images], Qualities], images: Images, generator: torch.Generator) -> Images:
        """Returns (N, 3, H, W) images in [0, 1], no value over `eps` from the clear one, with higher qualities."""
        start = torch.rand(images.shape, generator=generator).to(images)
        moved = (images + self.eps * (2 * start - 1)).clamp(0, 1)
        for _ in range(self.steps):
            moved = moved.detach().requires_grad_()
            (gradients,) = torch.autograd.grad(rate(moved).sum(), moved)
            moved = moved + 2 * self.eps / self.steps * gradients.sign()
            moved = torch.minimum(torch.maximum(moved, images - self.eps), images + self.eps).clamp(0, 1)
        return moved.detach()
