"""Uniform noise: the control that every attack is compared with.

It asks the metric nothing. What noise of the same eps gains is owed to the change itself, not to the attack.
"""

from dataclasses import dataclass

from attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class UniformNoise(Attack):
    access = "black"
    family = "control"
    suite = "base"

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        return images + self.eps * noise.uniform(images)

    def budget(self) -> Budget:
        return Budget(queries=0, gradients=0)
