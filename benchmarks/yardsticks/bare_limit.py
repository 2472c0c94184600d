"""The upper yardstick: only the metric's passes that the attack needs, in the fastest layout and batch size."""

from __future__ import annotations

import time
from itertools import product
from typing import NamedTuple

import torch

from metric_robustness.attacks.ifgsm import IFGSM
from metric_robustness.metrics.base import Images, Metric


class Means(NamedTuple):
    """How the passes run."""

    layout: torch.memory_format
    batch: int


def best_means(metric: Metric, images: Images, dtype: torch.dtype) -> Means:
    """Tries memory layouts and batch sizes and returns the fastest combination on this machine."""
    sizes = sorted({min(size, len(images)) for size in (8, 16)})
    choices = [Means(*choice) for choice in product((torch.contiguous_format, torch.channels_last), sizes)]
    spent = dict.fromkeys(choices, 0.0)
    for _ in range(2):
        for means in choices:
            metric.to(memory_format=means.layout)
            start = time.process_time()
            for part in torch.split(images, means.batch):
                _step(metric, part, IFGSM(), dtype)
            spent[means] = time.process_time() - start  # keeps the second trial: the first warms up
    return min(choices, key=lambda means: spent[means])


def bare_limit(metric: Metric, images: Images, attack: IFGSM, dtype: torch.dtype, means: Means) -> list[float]:
    """Runs the passes over images in memory: clear scores, gradients, attacked scores.

    Args:
        metric: A frozen copy; this changes the memory layout of its weights.
        images: (N, 3, H, W) in [0, 1].
        attack: The attack whose settings to use.
        dtype: Of the passes for gradients; scores are computed in float32.
        means: The result of `best_means`.

    Returns:
        The attacked scores.
    """
    metric.to(memory_format=means.layout)
    scores: list[float] = []
    for clear in torch.split(images, means.batch):
        with torch.no_grad():
            metric.unchecked(clear)
        found = clear
        for _ in range(attack.steps):
            found = (found + _step(metric, found, attack, dtype)).clamp(0, 1)
        with torch.no_grad():
            scores += metric.unchecked(found).tolist()
    return scores


def _step(metric: Metric, images: Images, attack: IFGSM, dtype: torch.dtype) -> Images:
    images = images.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        scores = metric.unchecked(images)
    (gradient,) = torch.autograd.grad(scores.sum(), images)
    return gradient.sign() * (attack.step if metric.higher_is_better else -attack.step)
