"""NES: sign steps along gradients that are estimated from pairs of scores; it asks for scores only.

Ilyas, Engstrom, Athalye, Lin. Black-box adversarial attacks with limited queries and information. ICML, 2018.
https://arxiv.org/abs/1804.08598
Natural evolution strategies: random directions, each looked at both ways, are summed with the differences of the scores
as weights. A direction has 32x32 values a channel, each of which moves a block of pixels (Ilyas et al., ICLR 2019):
fewer unknowns need fewer queries. Like the other searches it keeps the best rounded iterate.
"""

from dataclasses import dataclass

import torch

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective, per_image
from metric_robustness.attacks.best_adapter import Best
from metric_robustness.attacks.blocks_adapter import block_noise


@dataclass(frozen=True)
class NES(Attack):
    access = "black"
    family = "query"
    formula = (
        "g = Σ (J(y + sigma·u) - J(y - sigma·u))·u over pairs, u normal in side x side blocks of pixels; y ← clip(y "
        "+ step·sign g), from y = x; the best rounded y"
    )
    differs = (
        "not on the page. The paper moves every pixel by itself; blocks are those of the authors' later work. It stops "
        "when a classifier is fooled; here all steps are taken, and the best kept."
    )

    step: float = 2 / 255
    steps: int = 24
    pairs: int = 20
    sigma: float = 0.001
    side: int = 32  # blocks along each side of the image

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        best, adversarial = Best(self, images, objective), images
        for _ in range(self.steps):
            estimate = torch.zeros_like(images)
            for _ in range(self.pairs):
                direction = block_noise(images, self.side, noise)
                up, down = ((adversarial + way * direction).clamp(0, 1) for way in (self.sigma, -self.sigma))
                weight = (objective(up) - objective(down)).nan_to_num(nan=0, posinf=0, neginf=0)
                estimate += per_image(weight) * direction
            adversarial = self.project(adversarial + self.step * estimate.sign(), images)
            best.offer(adversarial)
        return best.images

    def budget(self) -> Budget:
        return Budget(queries=1 + self.steps * (2 * self.pairs + 1), gradients=0)
