"""Auto-PGD: sign steps that halve where they no longer help, restarted at the best; the best rounded iterate kept.

Croce, Hein. Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks. ICML,
2020. https://arxiv.org/abs/2003.01690
The step begins with 2 eps and is halved at checkpoints where fewer than 75 % of the steps since the last one raised the
objective, or where neither the step nor the best value changed since then. Differences: each image has its own step,
the search begins at the clear image without a random start, and what is returned is the best image after rounding to 8
bits. `thorough` takes 100 steps, and then sign steps of eps / 40, which follow a gradient that turns quickly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from metric_robustness.attacks.apgd_adapter import SearchState
from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective, per_image
from metric_robustness.attacks.best_adapter import TOGETHER, Best


@dataclass(frozen=True)
class APGD(Attack):
    access = "white"
    family = "sign"
    suite = "strong"
    variants = {"thorough": {"steps": 100, "small_steps": 100}, "worse": {"goal": "worse"}}
    formula = "x ← project(x + .75·(project(x + η·sign ∇J(x)) - x) + .25·(x - last x)), η halved at checkpoints"
    differs = "not in the base benchmark; the paper begins at random, and judges unrounded images"

    steps: int = 30
    momentum: float = 0.75  # the share of a step that is new; the rest repeats the one before
    small_steps: int = 0  # sign steps of eps / 40 after the search, from the clear image

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        best = Best(self, images, objective)
        self.search(images, objective, best)
        adversarial = images
        for _ in range(self.small_steps):
            value, gradient = objective.value_and_gradient(adversarial)
            best.consider(adversarial, value)
            adversarial = self.project(adversarial + self.eps / 40 * gradient.sign(), images)
        best.settle()
        return best.images

    def search(self, images: Images, objective: Objective, best: Best) -> None:
        """Considers every iterate of the search."""
        adversarial = before = images
        step = images.new_full((len(images),), 2 * self.eps)
        state = SearchState(*objective.value_and_gradient(images), images)
        best.consider(images, state.value)
        checkpoints = dict(self.checkpoints())
        for done in range(1, self.steps):
            ahead = self.project(adversarial + per_image(step) * state.gradient.sign(), images)
            if done > 1:
                moved, past = ahead - adversarial, adversarial - before
                ahead = self.project(adversarial + self.momentum * moved + (1 - self.momentum) * past, images)
            before, adversarial = adversarial, ahead
            value, gradient = objective.value_and_gradient(adversarial)
            best.consider(adversarial, value)
            state.moved_to(adversarial, value, gradient)
            if done in checkpoints:
                halved = state.stuck(checkpoints[done])
                step = (step / 2).where(halved, step)
                adversarial = state.restarted(halved, adversarial)

    def checkpoints(self) -> Iterator[tuple[int, int]]:
        """Yields the steps after which the step's length is judged, each with the number of steps since the last."""
        share, length, reached = 0.22, 0.22, 0
        while share < 1:
            done = ceil(round(share * self.steps, 6))
            if done > reached:
                yield done, done - reached
                reached = done
            length = max(length - 0.03, 0.06)
            share += length

    def budget(self) -> Budget:
        return Budget(
            queries=self.steps + self.small_steps + ceil((self.steps + self.small_steps) / TOGETHER) + 1,
            gradients=self.steps + self.small_steps,
        )
