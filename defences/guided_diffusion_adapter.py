"""Shared base of the purifications with the published unconditional diffusion model of 256x256 images."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from metric_robustness.defences.diffusion_adapter import (
    DiffusionPurification,
    Prediction,
    log_posterior_variance,
    signal,
)
from metric_robustness.defences.network_adapter import State, read
from metric_robustness.defences.networks import guided_diffusion


@dataclass(frozen=True)
class GuidedDiffusion(DiffusionPurification):
    """Purifies images of any size, padded to multiples of 32, with a model that learned from ImageNet at 256x256."""

    weights = ("hub/checkpoints/256x256_diffusion_uncond.pt",)
    cost = "heavy"
    gpu_memory = 32
    licence = "MIT (openai/guided-diffusion); diffusers: Apache-2.0"
    multiple = 32

    @classmethod
    def untrained(cls) -> nn.Module:
        return guided_diffusion.unet()

    @classmethod
    def state(cls) -> State:
        return guided_diffusion.from_published(read(cls.weights[0]))

    def predict(self, network: nn.Module, noisy: Tensor, step: int) -> Prediction:
        noise, place = network(noisy, step).sample.chunk(2, dim=1)
        before = signal()[step - 1].item() if step else 1.0
        highest, lowest = math.log(1 - signal()[step].item() / before), log_posterior_variance(step)
        share = (place + 1) / 2  # equation 15 of Nichol, Dhariwal, ICML 2021
        return Prediction(noise, share * highest + (1 - share) * lowest)
