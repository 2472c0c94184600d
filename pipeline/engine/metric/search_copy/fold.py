"""The copy of a metric on which a search runs: batch norms are folded into the layers before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from metric_robustness.metrics.base import Metric, VideoMetric
from metric_robustness.pipeline.engine.metric.search_copy.block_convolution import in_blocks
from metric_robustness.pipeline.engine.metric.search_copy.blocks import best_blocks
from metric_robustness.pipeline.engine.metric.search_copy.left_behind import copied
from metric_robustness.pipeline.engine.metric.search_copy.watch import NORMS, Pair, TensorWatch

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def noise_pair(metric: Metric) -> tuple[Tensor, Tensor]:
    """Returns two noise images as a metric takes them, and others as their references, (2, 3, H, W) each.

    A metric of clips takes them as the frames of one, (1, 2, 3, H, W). They are so large that no feature map is a
    single pixel, of which every layout is the same.
    """
    side = max(metric.smallest, 256)
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    pair = images, images.flip(0)
    return (pair[0][None], pair[1][None]) if isinstance(metric, VideoMetric) else pair


@torch.no_grad()
def foldable(metric: Metric) -> list[Pair]:
    """Returns the pairs of layer and batch norm that one layer can do the work of, found in a pass of noise.

    Nothing is run for a metric that has no batch norm.
    """
    norms = [module for module in metric.modules() if isinstance(module, NORMS)]
    like = next((norm.running_mean for norm in norms if norm.running_mean is not None), None)
    if like is None:
        return []
    dtype = torch.promote_types(like.dtype, torch.float32)
    images, references = (each.to(like.device, dtype) for each in noise_pair(metric))
    watch = TensorWatch(metric)
    with watch:
        metric.unchecked(images, references)
    return list(watch.pairs())


def folded(metric: Metric, pairs: Sequence[Pair]) -> Metric:
    """Returns a copy with each pair as one layer, without dropout, and with gradients of few channels made in blocks.

    It shares other weights with the metric.

    Those of convolutions are its own, since to lay them out for the copy must not move the metric's. What a copy stands
    for wherever the metric refers to it, be it in a list or under two names, `deepcopy` knows.
    """
    convolved = {id(each) for layer in metric.modules() if isinstance(layer, nn.Conv2d) for each in layer.parameters()}
    weights = (*metric.parameters(), *metric.buffers())
    known: dict[int, object] = {id(tensor): tensor for tensor in weights if id(tensor) not in convolved}
    known |= {id(layer): in_blocks(layer) for layer in metric.modules() if best_blocks(layer)}
    known |= {id(layer): in_blocks(_fused(layer, norm)) for layer, norm in pairs}
    known |= {id(norm): nn.Identity() for norm in {pair.norm for pair in pairs}}
    known |= {id(each): nn.Identity() for each in metric.modules() if type(each) in DROPOUTS and not each.training}
    return copied(metric, known)


def _fused(layer: nn.Module, norm: Any) -> nn.Module:
    fuse: Any = fuse_linear_bn_eval if isinstance(layer, nn.Linear) else fuse_conv_bn_eval
    one: nn.Module = fuse(layer, norm)
    return one.requires_grad_(requires_grad=False)
