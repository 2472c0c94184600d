"""Shared base of the diffusion purifications, which add noise up to step t and remove it step by step.

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

from metric_robustness.defences.base import DefenceNoise, Images
from metric_robustness.defences.network_adapter import NetworkDefence, padded


class Prediction(NamedTuple):
    """A network's output for a batch of noisy images."""

    noise: Tensor  # the noise in them, (N, 3, H, W)
    log_variance: Tensor  # of the step that removes it; any shape that broadcasts to (N, 3, H, W)


@dataclass(frozen=True)
class DiffusionPurification(NetworkDefence):
    """Diffusion by an unconditional model with the linear schedule of 1,000 steps; pads images of any size."""

    random = True
    multiple: ClassVar[int]  # the network needs sides that are multiples of it

    t: int = 5  # steps of noise; after all 1,000 nothing of the image is left

    @abstractmethod
    def predict(self, network: nn.Module, noisy: Tensor, step: int) -> Prediction:
        """Returns the noise in images and the variance of the step that removes it.

        Args:
            network: The network, on the images' device.
            noisy: (N, 3, H, W) images in [-1, 1] after `step` + 1 steps of noise.
            step: 0 to 999.
        """

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        network, (height, width) = self.network(images), images.shape[2:]
        kept = signal()[self.t - 1].item()
        diffused: Tensor = 2 * padded(images, self.multiple) - 1
        diffused = kept**0.5 * diffused + (1 - kept) ** 0.5 * noise.normal(diffused)
        for step in reversed(range(self.t)):
            fresh = noise.normal(diffused) if step else torch.zeros_like(diffused)
            # A checkpoint per step: a gradient keeps the activations of one step in memory, not of all.
            diffused = checkpoint(self.reverse, network, diffused, step, fresh, use_reentrant=False)
        return ((diffused[..., :height, :width] + 1) / 2).clamp(0, 1)

    def reverse(self, network: nn.Module, noisy: Tensor, step: int, fresh: Tensor) -> Tensor:
        """Returns the images before `step`: equations 6 and 7 of Ho et al., with the estimated clear image clipped."""
        now, before = signal()[step].item(), signal()[step - 1].item() if step else 1.0
        beta = 1 - now / before
        predicted = self.predict(network, noisy, step)
        clear = ((noisy - (1 - now) ** 0.5 * predicted.noise) / now**0.5).clamp(-1, 1)
        mean: Tensor = (before**0.5 * beta * clear + (1 - beta) ** 0.5 * (1 - before) * noisy) / (1 - now)
        return mean + (predicted.log_variance / 2).exp() * fresh


@cache
def signal() -> Tensor:
    """Returns the share of the image's variance that remains after each of the 1,000 steps, (1000,) float64."""
    scheduler = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    kept: Tensor = scheduler.alphas_cumprod
    return kept.double()


def log_posterior_variance(step: int) -> float:
    """Returns the logarithm of the variance of the step before, given the clear image (equation 7 of Ho et al.).

    The variance of step 0 is 0, which has no logarithm. Step 0 returns the value of step 1: it adds no noise anyway.
    """
    step = max(step, 1)
    now, before = signal()[step].item(), signal()[step - 1].item()
    return float(torch.tensor((1 - before) / (1 - now) * (1 - now / before), dtype=torch.float64).log())
