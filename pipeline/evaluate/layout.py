"""The memory layout of a metric's convolutions."""

from __future__ import annotations

import torch
from torch import nn

from metrics.base import Metric, Scores, VideoMetric


def lay_out(metric: Metric) -> None:
    """Lays the weights of convolutions out as the processor reads them fastest, if the metric's code works with that.

    The convolutions then also leave their results in this layout, channels last, and code that takes the layout of its
    tensors for granted (`view`, say) fails: such a metric keeps the usual one.
    """
    convolutions = [module for module in metric.modules() if isinstance(module, nn.Conv2d)]
    if not convolutions or metric.batch_dependent or isinstance(metric, VideoMetric):
        return
    usual = _sample_scores(metric)
    for module in convolutions:
        module.to(memory_format=torch.channels_last)
    last = _sample_scores(metric)
    if usual is None or last is None or not torch.allclose(usual, last, rtol=1e-3, atol=1e-5, equal_nan=True):
        for module in convolutions:
            module.to(memory_format=torch.contiguous_format)


def _sample_scores(metric: Metric) -> Scores | None:
    """Returns the scores of two noise images, or None if the metric fails on them."""
    side = max(metric.smallest, 256)  # so that no feature map is a single pixel, of which every layout is the same
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            scores: Scores = metric(images, images.flip(0))
            return scores
    except Exception:  # noqa: BLE001  # whatever a contributor's code raises: the cells will tell
        return None
