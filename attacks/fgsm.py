"""FGSM: fast gradient sign method.

Goodfellow, Shlens, Szegedy. Explaining and harnessing adversarial examples. ICLR, 2015.
https://arxiv.org/abs/1412.6572
The published code does the same.
"""

from dataclasses import dataclass

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class FGSM(Attack):
    access = "white"
    family = "sign"
    suite = "base"
    formula = "y = clip(x + eps·sign ∇J(x))"
    differs = "nothing: page, published code and paper take this step; eps is that of the code."

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        return images + self.eps * objective.gradient(images).sign()

    def budget(self) -> Budget:
        return Budget(queries=1, gradients=1)
