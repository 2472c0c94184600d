"""The engine lays convolutions out channels last where the metric's code allows it, and scores stay the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.engine.metric.build import lay_out


class Pooled(NoReference):
    higher_is_better = True
    score_range = (0, 1)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(3, 8, 3, stride=4)

    def score(self, images: Tensor) -> Tensor:
        return self.convolution(images).relu().mean(dim=(1, 2, 3))


class Viewed(Pooled):
    def score(self, images: Tensor) -> Tensor:
        return self.convolution(images).view(len(images), -1).mean(dim=1)


class OrderSensitive(Pooled):
    def score(self, images: Tensor) -> Tensor:
        maps = self.convolution(images)
        return torch.as_strided(maps, (len(images), 5), (maps.stride(0), 1)).mean(dim=1)


class Failing(Pooled):
    def score(self, images: Tensor) -> Tensor:
        raise RuntimeError("broken")


def is_channels_last(metric: Pooled) -> bool:
    return metric.convolution.weight.is_contiguous(memory_format=torch.channels_last)


def test_ordinary_network_is_laid_out_and_scores_the_same() -> None:
    metric, images = Pooled(), torch.rand(2, 3, 40, 33)
    before = metric(images)
    lay_out(metric)
    assert is_channels_last(metric)
    torch.testing.assert_close(metric(images), before)


@pytest.mark.parametrize("kind", [Viewed, OrderSensitive, Failing])
def test_network_whose_code_depends_on_the_layout_keeps_the_usual_one(kind: type[Pooled]) -> None:
    metric = kind()
    lay_out(metric)
    assert not is_channels_last(metric)
    assert metric.convolution.weight.is_contiguous()
