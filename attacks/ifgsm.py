"""I-FGSM: iterative fast gradient sign method.

Kurakin, Goodfellow, Bengio. Adversarial examples in the physical world. ICLR Workshop, 2017.
https://arxiv.org/abs/1607.02533
The published code does the same. Steps of k/255 from an 8-bit image end on 8-bit values, so rounding changes nothing.
"""

from dataclasses import dataclass

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class IFGSM(Attack):
    access = "white"
    family = "sign"
    suite = "base"
    formula = "y ← clip(y + step·sign ∇J(y)), from y = x"
    differs = (
        "nothing in the formula. The published code keeps a change that is not clipped to [0, 1], and clips only what "
        "it scores; here each step starts from a valid image, as the page's Clip does."
    )

    step: float = 1 / 255
    steps: int = 10

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        adversarial = images
        for _ in range(self.steps):
            adversarial = self.project(adversarial + self.step * objective.gradient(adversarial).sign(), images)
        return adversarial

    def budget(self) -> Budget:
        return Budget(queries=self.steps, gradients=self.steps)
