"""Uniform noise: the control that every attack is compared with.

It never queries the metric. Its gain is what any change of the same eps brings, without the skill of an attack.
"""

from dataclasses import dataclass

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class UniformNoise(Attack):
    access = "black"
    family = "control"
    suite = "base"

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        return images + self.eps * noise.uniform(images)

    def budget(self) -> Budget:
        return Budget(queries=0, gradients=0)
