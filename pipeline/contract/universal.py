"""The contract of a universal attack's fit. Its fitted pattern is checked like any other attack."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import torch

from metric_robustness.attacks.base import Pattern, State, Universal
from metric_robustness.metrics.base import Metric
from metric_robustness.pipeline.contract.base import BrokenPromiseError, photographs, require
from metric_robustness.pipeline.engine.metric.objective import ImageNoise
from metric_robustness.pipeline.engine.universal.crop_objective import CropObjective

SIDE, BATCH, STEPS = 32, 3, 20  # small and fast: the promises do not depend on size


class FitCheck:
    """The checks of one universal attack's fit, on crops that its pattern is not checked on afterwards."""

    def __init__(self, name: str, attack: Universal, metric: Metric, device: torch.device) -> None:
        self.name, self.metric, self.device = name, metric, device
        self.attack = replace(attack, crop=SIDE, batch=BATCH)
        self.crops = photographs(SIDE, SIDE, 2 * BATCH)[BATCH:].to(device)

    @cached_property
    def pattern(self) -> Pattern:
        """Returns the fitted pattern."""
        return self.attack.reached(self.after(STEPS, self.begun()))

    def begun(self) -> State:
        """Returns the state that a fit begins with."""
        begun = self.attack.begin(ImageNoise(self.name, ["training set"]))
        return {name: value.to(self.device) for name, value in begun.items()}

    @torch.no_grad()
    def after(self, steps: int, state: State) -> State:
        """Returns the state after a number of further steps."""
        batches = ((self.crops.clone(), CropObjective(self.metric, None, torch.float32, BATCH)) for _ in range(steps))
        for found in self.attack.fit(batches, state):
            state = found
        return state

    def bounded(self) -> str:
        """Checks that the pattern is finite and of its shape, and that what it adds is within eps."""
        shape, wanted = tuple(self.pattern.shape), self.attack.pattern_shape
        require(shape == wanted, f"its shape is {shape}: make it {wanted}, or say another pattern_shape")
        require(bool(self.pattern.isfinite().all()), "the pattern is not finite: guard divisions")
        largest = self.attack.added(self.pattern, self.crops).abs().max().item()
        require(0 < largest <= self.attack.eps + 1e-6, f"its largest value is {largest:.4f}, eps {self.attack.eps:.4f}")
        return f"largest value {largest:.4f} of {self.attack.eps:.4f}"

    def resumes(self) -> str:
        """Checks that a fit that goes on from a copy of its state ends with the same bits."""
        half = self.after(STEPS // 2, self.begun())
        if not all(isinstance(value, torch.Tensor) for value in half.values()):
            raise BrokenPromiseError("its state holds something else than tensors: a checkpoint could not keep it")
        rest = self.after(STEPS - STEPS // 2, {name: value.clone() for name, value in half.items()})
        same = torch.equal(self.attack.reached(rest), self.pattern)
        require(same, "patterns differ: keep all that a step needs in the state, and draw from `noise` alone")
        return "equal bits"
