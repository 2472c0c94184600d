"""Adam: ascent on the pixels with falling steps, the best rounded iterate kept.

Kingma, Ba. Adam: a method for stochastic optimization. ICLR, 2015. https://arxiv.org/abs/1412.6980
Each image's gradient is divided by its largest value, so that the metric's scale does not matter. Momentum crosses the
small valleys in which sign steps get stuck. The step falls along half a cosine: long steps find the region, short ones
its top. `thorough` takes 300 steps.
"""

from dataclasses import dataclass
from math import ceil

from metric_robustness.attacks.adam_search_adapter import climb, falling
from metric_robustness.attacks.base import Budget, Images, Noise, Objective, Search
from metric_robustness.attacks.best_adapter import TOGETHER


@dataclass(frozen=True)
class AdamAttack(Search):
    access = "white"
    family = "optimised"
    suite = "strong"
    variants = {"thorough": {"steps": 300}, "worse": {"goal": "worse"}}
    formula = "x ← project(x + αₜ·Adam(∇J(x) / max|∇J(x)|)); the best rounded x"
    differs = "not in the base benchmark, whose attacks return their last iterate"

    narrower = {"steps": 12, "step": 0.2}

    steps: int = 140
    step: float = 0.15  # the first one, in parts of eps
    last_step: float = 0.01  # in parts of eps

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        return climb(self, images, objective, falling(self.steps, self.step, self.last_step))

    def budget(self) -> Budget:
        return Budget(queries=self.steps + ceil(self.steps / TOGETHER) + 2, gradients=self.steps)
