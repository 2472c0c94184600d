"""Rank swap: turns the order of a set of images round, by a search from each image's score to that of another.

Yang, Liu, Li, Zhong, Jiang. Beyond score changes: adversarial attack on no-reference image quality assessment from two
perspectives. 2024. https://arxiv.org/abs/2404.13277
The scores of the set in the opposite order have the lowest rank correlation with the clear ones: -1. So the best image
shall get the score of the worst, the second best that of the second worst, and so on; images of equal score share the
mean of the targets of their ranks. The search is that of `adam`.
"""

from collections import defaultdict
from dataclasses import dataclass
from math import ceil
from statistics import fmean

from metric_robustness.attacks.adam_search_adapter import climb, falling
from metric_robustness.attacks.base import Budget, Images, Noise, Objective, Scores, Targeted
from metric_robustness.attacks.best_adapter import TOGETHER


@dataclass(frozen=True)
class RankSwap(Targeted):
    access = "white"
    formula = "t(x) the score of rank n + 1 - r, where x has rank r of n; the search of adam with J(y) = -|s(y) - t(x)|"
    differs = (
        "not on the page. The paper's targets also move the scores as far as possible, and it steps by FGSM; here the "
        "targets are the scores of the set itself. Where a budget ends the search early, others may leave less order."
    )

    narrower = {"steps": 12, "step": 0.2}

    steps: int = 60
    step: float = 0.15  # the first one, in parts of eps
    last_step: float = 0.01  # in parts of eps

    def targets(self, scores: Scores) -> Scores:
        shared = defaultdict(list)
        ascending = sorted(scores.tolist())
        for score, opposite in zip(ascending, reversed(ascending), strict=True):
            shared[score].append(opposite)
        return scores.new_tensor([fmean(shared[score]) for score in scores.tolist()])

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        return climb(self, images, objective, falling(self.steps, self.step, self.last_step))

    def budget(self) -> Budget:
        return Budget(queries=self.steps + ceil(self.steps / TOGETHER) + 2, gradients=self.steps)
