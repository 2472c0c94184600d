"""Blocks: the gradient of a convolution of few channels is the same, however it is made."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.metric.search import search_of
from metric_robustness.pipeline.engine.metric.search_copy.block_convolution import BlockConvolution, in_blocks
from metric_robustness.pipeline.engine.metric.search_copy.blocks import best_blocks
from metric_robustness.pipeline.engine.metric.search_copy.saved import saved_part


def blocked(layer: nn.Conv2d) -> BlockConvolution:
    made = in_blocks(layer.requires_grad_(requires_grad=False))
    assert isinstance(made, BlockConvolution)
    return made


def results_and_gradient(layer: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    images = images.clone().requires_grad_()
    results = layer(images)
    slope = torch.randn(results.shape, generator=torch.Generator().manual_seed(2)).to(results)
    return results.detach(), torch.autograd.grad(results, images, slope)[0]


@pytest.mark.parametrize("size", [(23, 30), (32, 17)])
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_gradient_is_the_same_for_every_kernel_stride_and_padding(channels: int, size: tuple[int, int]) -> None:
    images = torch.rand(2, channels, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    saved = 0
    for kernel, stride, padding in product((2, 3, 4, 5, 7, 11, 16), (1, 2, 3, 4, 16), (0, 1, 2, 5)):
        layer = nn.Conv2d(channels, 4, kernel, stride, padding).double().requires_grad_(requires_grad=False)
        if padding < kernel and best_blocks(layer):
            (results, gradient), (own, true) = (results_and_gradient(each, images) for each in (blocked(layer), layer))
            saved += 1
            assert torch.equal(results, own)
            assert gradient.shape == true.shape
            torch.testing.assert_close(gradient, true, rtol=1e-12, atol=1e-12)
    assert saved > 30


def test_gradient_of_the_gradient_is_right() -> None:
    layer = blocked(nn.Conv2d(3, 4, 3, stride=2, padding=1).double())
    images = torch.rand(1, 3, 7, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, images)
    assert torch.autograd.gradgradcheck(lambda each: layer(each).square(), images)


def test_search_in_bfloat16_gets_a_gradient_in_single_precision() -> None:
    layer, images = nn.Conv2d(3, 16, 5, padding=2), torch.rand(2, 3, 20, 20)
    with torch.autocast("cpu", torch.bfloat16):
        results, gradient = results_and_gradient(blocked(layer), images)
    _, true = results_and_gradient(layer, images)
    assert (results.dtype, gradient.dtype) == (torch.bfloat16, torch.float32)
    assert (gradient - true).norm() < 0.01 * true.norm()


def test_weights_are_its_own() -> None:
    layer = nn.Conv2d(3, 4, 3, stride=2)
    made = blocked(layer).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert made.weight.is_contiguous(memory_format=torch.channels_last)
    assert layer.weight.is_contiguous()


class Own(nn.Conv2d):
    def __init__(self) -> None:
        super().__init__(3, 4, 3)


def hooked() -> nn.Conv2d:
    layer = nn.Conv2d(3, 4, 3)
    layer.register_forward_hook(lambda *_: None)
    return layer


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 1),
        nn.Conv2d(16, 4, 3),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(3, 4, 3, dilation=2),
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(3, 4, 3, padding="same"),
        nn.Conv2d(3, 4, (3, 5)),
        nn.Conv2d(3, 4, 3, stride=(1, 2)),
        nn.Conv2d(3, 4, 3, padding=4),
        nn.Conv2d(3, 4, 3, device="meta"),
        nn.ConvTranspose2d(3, 4, 3),
        Own(),
        hooked(),
    ],
    ids=str,
)
def test_layer_whose_gradient_is_another_matter_stays(layer: nn.Module) -> None:
    assert in_blocks(layer) is layer


class Network(NoReference):
    """Reads the image with one convolution, and what that makes with another."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def __init__(self, kernel: int = 7, deep: int = 16) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.second = nn.Conv2d(3, 16, kernel, stride=2), nn.Conv2d(16, deep, 1)
        self.eval().requires_grad_(requires_grad=False)

    def score(self, images: Tensor) -> Tensor:
        return self.second(self.first(images).tanh()).mean(dim=(1, 2, 3)).sigmoid()


def test_what_is_saved_is_counted_in_a_pass() -> None:
    metric = Network()
    made = 2 * ((256 - 7) // 2 + 1) ** 2  # results for each channel of the two noise images
    own, wasteful, in_two = 3 * 49 * 16, 16 * 49 * 16, 16 * 16 * 16  # multiplications for one of them
    assert saved_part(metric) == pytest.approx((wasteful - in_two) * made / (2 * (own + 16 * 16) * made))
    assert not metric.first._forward_hooks


def test_network_is_searched_on_a_copy_where_blocks_save_much(photos: Path, tmp_path: Path) -> None:
    dataset, entry = open_dataset(str(photos)), lookup.find("metrics", "small_cnn")
    for metric, told in (
        (Network(), "a copy with 1 gradient made in blocks"),
        (Network(deep=20_000), "the metric itself: nothing in it could be made much faster"),
    ):
        found = search_of(MetricRunner(entry, tmp_path, network=lambda metric=metric: metric), dataset, NONE)
        assert found.told == told
