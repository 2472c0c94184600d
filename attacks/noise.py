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
    formula = "y = clip(x + eps·n), n uniform in [-1, 1)"
    source = "none: this benchmark's control"
    differs = "not on the page: the control that shows what any change of this size does to a score."

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        return images + self.eps * noise.uniform(images)

    def budget(self) -> Budget:
        return Budget(queries=0, gradients=0)
