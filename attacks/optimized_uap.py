"""Optimized UAP: Adam on the pattern itself.

Zhang et al. CD-UAP: Class discriminative universal adversarial perturbation. AAAI, 2020.
https://arxiv.org/abs/2010.03300
The published code does the same, but does not clip to eps, and has no `least_steps`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metric_robustness.attacks.base import Images, Noise, Objective, Pattern, State, Universal


@dataclass(frozen=True)
class OptimizedUAP(Universal):
    suite = "base"
    formula = "p ← clip(p + lr·adam(mean ∇J(clip(crop + p)))) to eps, from p = .0001; y = clip(x + amplitude·tile(p))"
    differs = (
        "nothing in the formula. The gradient is 0 where clipping a crop to [0, 1] removes the pattern, and attacked "
        "images are clipped too, since other values are no image; every training image is taken once an epoch, where "
        "the published code draws batches at random."
    )
    lr: float = 0.001

    def begin(self, noise: Noise) -> State:
        # Not 0: the gradient of a full-reference distance is 0 on the original itself.
        return with_moments({"pattern": torch.full((3, self.crop, self.crop), 1e-4)}, "pattern")

    def step(self, state: State, crops: Images, objective: Objective) -> State:
        gradient = self.gradients(state["pattern"], crops, objective).mean(dim=0)
        moved = ascend(state, "pattern", gradient, self.lr)
        return moved | {"pattern": moved["pattern"].clamp_(-self.eps, self.eps)}

    def reached(self, state: State) -> Pattern:
        return state["pattern"]


def with_moments(state: State, name: str) -> State:
    """Returns the state with Adam's moments of the value `name`, and its count of steps, added."""
    value = state[name]
    return state | {"mean": torch.zeros_like(value), "square": torch.zeros_like(value), "steps": torch.zeros(())}


def ascend(state: State, name: str, gradient: Tensor, lr: float) -> State:
    """Returns the state after one step of Adam (Kingma & Ba, 2015) that raises the value `name` along its gradient."""
    steps = state["steps"] + 1
    mean = 0.9 * state["mean"] + 0.1 * gradient
    square = 0.999 * state["square"] + 0.001 * gradient.square()
    size = (square / (1 - 0.999**steps)).sqrt()
    # 1e-8 is relative to the largest gradient, so that the metric's scale does not matter.
    size = (size + 1e-8 * size.amax()).clamp_min(torch.finfo().tiny)
    value = state[name] + lr * mean / (1 - 0.9**steps) / size
    return state | {name: value, "mean": mean, "square": square, "steps": steps}
