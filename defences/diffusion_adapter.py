"""Shared base of the diffusion purifications: noise is added up to step t, and taken away again step by step.

Nie, Guo, Huang, Xiao, Vahdat, Anandkumar. Diffusion models for adversarial purification. ICML, 2022.
https://arxiv.org/abs/2205.07460
Ho, Jain, Abbeel. Denoising diffusion probabilistic models. NeurIPS, 2020. https://arxiv.org/abs/2006.11239
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, NamedTuple

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from defences.base import Images, Noise
from defences.network_adapter import NetworkDefence, padded


class Prediction(NamedTuple):
    """What a network says of a noisy image."""

    noise: Tensor  # (N, 3, H, W)
    log_variance: Tensor  # of the step, of a shape that spreads over the images


@dataclass(frozen=True)
class DiffusionPurification(NetworkDefence):
    """Diffusion by an unconditional model with the linear schedule of 1,000 steps; images of any size are padded."""

    random = True
    multiple: ClassVar[int]  # what the network's input sides must be multiples of

    t: int = 5  # steps of noise, of the 1,000 after which nothing of the image is left

    @abstractmethod
    def predict(self, network: nn.Module, noisy: Tensor, step: int) -> Prediction:
        """Returns noise and variance for images in [-1, 1] after `step` + 1 steps of noise."""

    def purify(self, images: Images, noise: Noise) -> Images:
        network, (height, width) = self.network(images), images.shape[2:]
        kept = signal()[self.t - 1].item()
        diffused: Tensor = 2 * padded(images, self.multiple) - 1
        diffused = kept**0.5 * diffused + (1 - kept) ** 0.5 * noise.normal(diffused)
        for step in reversed(range(self.t)):
            fresh = noise.normal(diffused) if step else torch.zeros_like(diffused)
            # A gradient through all steps would need the memory of all; this needs that of one.
            diffused = checkpoint(self.reverse, network, diffused, step, fresh, use_reentrant=False)
        return ((diffused[..., :height, :width] + 1) / 2).clamp(0, 1)

    def reverse(self, network: nn.Module, noisy: Tensor, step: int, fresh: Tensor) -> Tensor:
        """Returns the images a step earlier: equations 6 and 7 of Ho et al., the clear image's estimate clipped."""
        now, before = signal()[step].item(), signal()[step - 1].item() if step else 1.0
        beta = 1 - now / before
        said = self.predict(network, noisy, step)
        clear = ((noisy - (1 - now) ** 0.5 * said.noise) / now**0.5).clamp(-1, 1)
        mean: Tensor = (before**0.5 * beta * clear + (1 - beta) ** 0.5 * (1 - before) * noisy) / (1 - now)
        return mean + (said.log_variance / 2).exp() * fresh


@cache
def signal() -> Tensor:
    """Returns the share of the image's variance that is left after each of the 1,000 steps, (1000,) float64."""
    scheduler = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    kept: Tensor = scheduler.alphas_cumprod
    return kept.double()


def log_posterior_variance(step: int) -> float:
    """Returns the logarithm of the variance of a step that is undone, where the clear image is known (equation 7).

    It is 0 for the first step, whose place the second's takes: no noise is added there.
    """
    step = max(step, 1)
    now, before = signal()[step].item(), signal()[step - 1].item()
    return float(torch.tensor((1 - before) / (1 - now) * (1 - now / before), dtype=torch.float64).log())
