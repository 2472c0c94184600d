"""How much of a metric's arithmetic blocks save, which decides whether a copy is worth to be made for them alone."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from metric_robustness.metrics.base import Metric
from metric_robustness.pipeline.engine.metric.search_copy.blocks import best_blocks, wasteful
from metric_robustness.pipeline.engine.metric.search_copy.fold import noise_pair


@torch.no_grad()
def saved_part(metric: Metric) -> float:
    """Returns how many multiplications blocks save, over those of a pass forward and one back.

    They are counted in a pass of noise, those of convolutions and linear layers. What a processor throws away counts
    where it is saved, and not in the whole, so that more than 1 can come out. Nothing is run for a metric in which
    blocks save nothing.
    """
    parts = {layer: found[1] for layer in metric.modules() if (found := best_blocks(layer))}
    if not parts:
        return 0.0
    saved, whole = 0.0, 0

    def count(layer: nn.Conv2d | nn.Linear, _: Any, results: Tensor) -> None:
        nonlocal saved, whole
        if isinstance(layer, nn.Conv2d) and layer in parts:
            saved += parts[layer] * wasteful(layer, results)
        whole += 2 * results.numel() * layer.weight[0].numel()

    with ExitStack() as stack:
        for layer in metric.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                stack.callback(layer.register_forward_hook(count).remove)
        metric.unchecked(*noise_pair(metric))
    return saved / (whole or 1)
