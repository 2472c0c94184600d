"""Denoising: a network learns to predict the noise that was added to photographs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.train.photographs import Photographs
from metric_robustness.pipeline.train.recipes import Recipe
from metric_robustness.pipeline.train.samples import Samples, clear_crops, sample_plans

STRONGEST = 25 / 255  # the sigma of training is drawn up to this
MEASURED_AT = 15 / 255  # sigma of the noise that is removed from validation samples


def samples(
    photographs: Photographs, recipe: Recipe, work: Path, on_progress: Callable[[int], None]
) -> tuple[Samples, Samples]:
    """Returns crops of clear photographs; noise is added anew in every step."""
    training, validation = (clear_crops(plan, on_progress) for plan in sample_plans(photographs, recipe))
    return training, validation


def loss(network: nn.Module, images: Images, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Returns the mean squared error of the predicted noise, in units of the strongest."""
    sigma = STRONGEST * torch.rand(len(images), 1, 1, 1, generator=generator).to(images)
    noise = sigma * torch.randn(images.shape, generator=generator).to(images)
    return mse_loss(network(images + noise) / STRONGEST, noise / STRONGEST)


def figures(network: nn.Module, validation: Samples, batch: int) -> dict[str, float]:
    """Returns the mean PSNR of noisy crops, before and after, for one draw of noise that is always the same."""
    generator, before, after = torch.Generator().manual_seed(0), [], []
    for part in torch.split(validation.images, batch):
        images = part.float() / 255
        noisy = (images + MEASURED_AT * torch.randn(images.shape, generator=generator).to(images)).clamp(0, 1)
        before.append(psnr(noisy, images))
        after.append(psnr((noisy - network(noisy)).clamp(0, 1), images))
    return {"psnr": torch.cat(after).mean().item(), "psnr_noisy": torch.cat(before).mean().item()}


def origin() -> dict[str, object]:
    """Returns nothing: the labels are the photographs themselves."""
    return {}


def psnr(images: Images, clear: Images) -> Tensor:
    """Returns the (N,) peak signal-to-noise ratios, in dB."""
    return -10 * (images - clear).square().mean(dim=(1, 2, 3)).log10()
