"""Cumulative UAP: the average of one-step perturbations over a training set.

Moosavi-Dezfooli et al. Universal adversarial perturbations. CVPR, 2017.
https://arxiv.org/abs/1610.08401
Every crop adds the sign of its gradient at the current pattern, which is the mean so far, scaled to eps: averaging
shrinks it, and the length of a single step cancels. `published` is what the base benchmark's code does: steps of size 1
along the raw gradient, clipped to eps, whose strength depends on the metric's scale.
"""

from dataclasses import dataclass
from typing import Literal

import torch

from attacks.base import Images, Noise, Objective, Pattern, State, Universal


@dataclass(frozen=True)
class CumulativeUAP(Universal):
    suite = "base"
    variants = {"published": {"rule": "gradient"}}

    rule: Literal["sign", "gradient"] = "sign"

    def begin(self, noise: Noise) -> State:
        nothing = torch.zeros(3, self.crop, self.crop)
        return {"pattern": nothing} if self.rule == "gradient" else {"pattern": nothing, "sum": nothing.clone()}

    def step(self, state: State, crops: Images, objective: Objective) -> State:
        gradients = self.gradients(state["pattern"], crops, objective)
        if self.rule == "gradient":
            return {"pattern": (state["pattern"] + gradients.mean(dim=0)).clamp_(-self.eps, self.eps)}
        total = state["sum"] + gradients.sign().sum(dim=0)
        return {"pattern": self.eps * total / total.abs().amax().clamp_min(1), "sum": total}  # the sum is of integers

    def reached(self, state: State) -> Pattern:
        return state["pattern"]
