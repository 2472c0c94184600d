"""Adam steps that raise the objective while a full-reference metric sees the image stay close to the clear one.

Zhang, Li, Min, Zhai, Guo, Yang, Ma. Perceptual attacks of no-reference image quality models with human-in-the-loop.
NeurIPS, 2022. https://arxiv.org/abs/2210.00933
"""

from dataclasses import dataclass

from metric_robustness.attacks.adam_adapter import Ascent
from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class Perceptual(Attack):
    """The shared attack; a subclass names one full-reference metric in `needs`, which measures the closeness."""

    access = "white"
    family = "optimised"

    lr: float = 0.005
    steps: int = 10
    weight: float = 1.0  # lambda: of the closeness; the gain has weight 1, each in parts of its metric's range

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        closeness = objective.closeness(self.needs[0])
        adversarial, ascent = images, Ascent()
        for _ in range(self.steps):
            gradient = objective.gradient(adversarial) + self.weight * closeness.gradient(adversarial)
            adversarial = self.project(adversarial + self.lr * ascent.update(gradient), images)
        return adversarial

    def budget(self) -> Budget:
        return Budget(queries=self.steps, gradients=self.steps)
