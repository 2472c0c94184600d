"""Restoring: a network learns to turn attacked photographs back into the clear ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.engine.measures.distances import measures
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.train.photographs import Photographs
from metric_robustness.pipeline.train.recipes import Recipe
from metric_robustness.pipeline.train.samples import SamplePlan, Samples, draw, sample_plans, stack
from metric_robustness.pipeline.train.tasks.denoise import origin

__all__ = ["figures", "loss", "origin", "samples"]


def samples(
    photographs: Photographs, recipe: Recipe, work: Path, on_progress: Callable[[int], None]
) -> tuple[Samples, Samples]:
    """Returns crops of attacked photographs, and the same crops of the clear ones as labels.

    Raises:
        DataError: If there are no attacked photographs.
    """
    if not photographs.attacked:
        raise DataError(
            f"{recipe.network} must be trained on attacked photographs; got none: make them with run --save-images, "
            "and name their folder with --attacked"
        )
    training, validation = (_pairs(plan, photographs, on_progress) for plan in sample_plans(photographs, recipe))
    return training, validation


def loss(network: nn.Module, images: Images, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Returns the mean squared error."""
    return mse_loss(network(images), labels)


def figures(network: nn.Module, validation: Samples, batch: int) -> dict[str, float]:
    """Returns the mean SSIM and PSNR with the clear crops, of restored crops and of the attacked ones."""
    found: dict[str, list[Tensor]] = {}
    for attacked, clear in zip(*(torch.split(part, batch) for part in validation), strict=True):
        restored = (network(attacked.float() / 255).clamp(0, 1) * 255).round() / 255
        for suffix, images in {"": restored, "_attacked": attacked.float() / 255}.items():
            for name, values in measures(images, clear.float() / 255).items():
                found.setdefault(name + suffix, []).append(values)
    return {name: torch.cat(found[name]).mean().item() for name in ("ssim", "psnr", "ssim_attacked", "psnr_attacked")}


def _pairs(plan: SamplePlan, photographs: Photographs, on_progress: Callable[[int], None]) -> Samples:
    """Returns crops of attacked photographs, each of an attack drawn at random, with those of the clear ones."""
    attacked, clear = [], []
    for number in range(plan.size):
        random, name, place = draw(plan, number)
        versions = photographs.attacked[name]
        attacked.append(versions[int(random.integers(len(versions)))][place])
        clear.append(plan.photographs[name][place])
    on_progress(plan.size)
    return Samples(stack(attacked), stack(clear))
