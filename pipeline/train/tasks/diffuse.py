"""Diffusing: a network learns to predict the noise of any of the first steps of a diffusion.

Ho, Jain, Abbeel. Denoising diffusion probabilistic models. NeurIPS, 2020. https://arxiv.org/abs/2006.11239
The simple loss (equation 14), with steps drawn from the first 100 of 1,000 only: purification goes no further.
"""

from __future__ import annotations

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.train.samples import Samples
from metric_robustness.pipeline.train.tasks.denoise import origin, samples

__all__ = ["figures", "loss", "origin", "samples"]

STEPS = 100
MEASURED_AT = (4, 19, 49)  # the last steps of noise where t is 5, 20 and 50
SCHEDULE = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")


def loss(network: nn.Module, images: Images, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Returns the mean squared error of the predicted noise, whose standard deviation is 1."""
    steps = torch.randint(STEPS, (len(images),), generator=generator)
    return _error(network, images, steps, generator)


def figures(network: nn.Module, validation: Samples, batch: int) -> dict[str, float]:
    """Returns the mean squared errors of the predicted noise at three steps, for draws that are always the same."""
    found = {}
    for step in MEASURED_AT:
        generator, errors = torch.Generator().manual_seed(step), []
        for part in torch.split(validation.images, batch):
            steps = torch.full((len(part),), step)
            errors.append(_error(network, part.float() / 255, steps, generator).item() * len(part))
        found[f"mse_t{step + 1}"] = sum(errors) / len(validation.images)
    return found


def _error(network: nn.Module, images: Images, steps: Tensor, generator: torch.Generator) -> Tensor:
    steps, noise = steps.to(images.device), torch.randn(images.shape, generator=generator).to(images)
    noisy = SCHEDULE.add_noise(2 * images - 1, noise, steps)
    return mse_loss(network(noisy, steps).sample, noise)
