"""Cumulative UAP: the average of one-step perturbations over a training set.

Moosavi-Dezfooli et al. Universal adversarial perturbations. CVPR, 2017.
https://arxiv.org/abs/1610.08401
The pattern is the mean of the signs of all crops' gradients so far, each taken at the pattern of that time. A mean of
signs is small, so it is scaled to eps; the length of a single step therefore has no effect. `published` does what the
base benchmark's code does: steps of size 1 along the raw gradient, clipped to eps. Its strength depends on the metric's
scale.
"""

from dataclasses import dataclass
from typing import Literal

import torch

from metric_robustness.attacks.base import Images, Noise, Objective, Pattern, State, Universal


@dataclass(frozen=True)
class CumulativeUAP(Universal):
    suite = "base"
    formula = "S ← S + Σ sign ∇J(clip(crop + p)), p = eps·S / max |S|, from S = p = 0; y = clip(x + amplitude·tile(p))"
    differs = (
        "the published code takes steps of size 1 along the raw mean gradient, so that its strength depends on the "
        "metric's scale (variant published, from 0 instead of .0001). Signs do not, but their mean is small, hence "
        "the scaling to eps. Crops and attacked images are clipped to [0, 1], since other values are no image; every "
        "training image is taken once an epoch, where the published code draws batches at random."
    )
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
        # The sum is of integers: clamping at 1 only prevents a division by 0.
        return {"pattern": self.eps * total / total.abs().amax().clamp_min(1), "sum": total}

    def reached(self, state: State) -> Pattern:
        return state["pattern"]
