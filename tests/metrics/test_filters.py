"""Fixed filters: the fast gradient is PyTorch's own, and only plain convolutions of fixed filters have it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

import metric_robustness.metrics.filters_adapter
from metric_robustness.metrics.base import Metric
from metric_robustness.metrics.filters_adapter import FixedFilters, gaussian, smooth
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.contract.base import photographs


def filtered(images: Tensor, weight: Tensor, **settings: Any) -> tuple[Tensor, Tensor]:
    """Returns the output, and the gradient of a sum that weighs each output differently."""
    given = images.clone().requires_grad_()
    found = conv2d(given, weight, **settings)
    weights = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).reshape(found.shape)
    return found.detach(), torch.autograd.grad((found * weights).sum(), given)[0]


@pytest.mark.parametrize("shape", [(1, 1, 3, 3), (4, 1, 5, 5), (2, 1, 1, 11), (3, 1, 8, 2)])
def test_the_gradient_is_pytorchs(shape: tuple[int, ...]) -> None:
    images = torch.rand(2, 1, 20, 23, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with FixedFilters():
        fast = filtered(images, weight)
    for one, other in zip(fast, filtered(images, weight), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_gradients_of_gradients_are_right() -> None:
    images = torch.rand(1, 1, 6, 7, dtype=torch.double, requires_grad=True)
    weight = torch.randn(2, 1, 3, 2, dtype=torch.double, generator=torch.Generator().manual_seed(2))
    with FixedFilters():
        assert torch.autograd.gradcheck(lambda given: conv2d(given, weight).sin(), images)
        assert torch.autograd.gradgradcheck(lambda given: conv2d(given, weight).sin(), images)


@pytest.mark.parametrize(
    "settings", [{"stride": 2}, {"padding": 1}, {"padding": "same"}, {"dilation": 2}, {"bias": torch.ones(1)}]
)
def test_other_convolutions_are_left_alone(settings: dict[str, Any]) -> None:
    images = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(3))
    weight = torch.randn(1, 1, 3, 3, generator=torch.Generator().manual_seed(4))
    with FixedFilters():
        fast = filtered(images, weight, **settings)
    assert all(torch.equal(*pair) for pair in zip(fast, filtered(images, weight, **settings), strict=True))


def test_filters_that_are_trained_keep_their_gradient() -> None:
    weight = torch.randn(1, 1, 3, 3, requires_grad=True)
    with FixedFilters():
        conv2d(torch.rand(1, 1, 8, 8), weight).sum().backward()
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.float, torch.double])
def test_a_smoothed_map_is_filtered_in_both_directions(dtype: torch.dtype) -> None:
    maps = torch.rand(3, 4, 20, 23, dtype=dtype, generator=torch.Generator().manual_seed(6))  # more than at once
    window = gaussian(7, 1.5, maps) * torch.linspace(0.5, 1.5, 7).to(maps)  # not symmetric, so that a turn is seen
    alone = maps.reshape(12, 1, 20, 23)
    wanted = filtered(alone, torch.outer(window, window)[None, None])
    given = maps.clone().requires_grad_()
    found = smooth(given, window)
    weights = torch.linspace(-1, 1, found.numel(), dtype=dtype).reshape(found.shape)
    (gradient,) = torch.autograd.grad((found * weights).sum(), given)
    torch.testing.assert_close(found.detach(), wanted[0].reshape(found.shape), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradient, wanted[1].reshape(gradient.shape), atol=1e-5, rtol=1e-5)


def test_gradients_of_gradients_of_smoothing_are_right() -> None:
    maps = torch.rand(2, 6, 7, dtype=torch.double, requires_grad=True)
    window = gaussian(3, 1.0, maps.detach())
    assert torch.autograd.gradgradcheck(lambda given: smooth(given, window).sin(), maps)


@pytest.mark.parametrize("name", ["nlpd", "vif"])
def test_metrics_have_the_gradient_that_they_had(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    metric: Metric = lookup.find("metrics", name).load()().eval().requires_grad_(False)
    clear = photographs(64, 72)[:1]
    images = (clear + 0.05 * torch.rand(clear.shape, generator=torch.Generator().manual_seed(5))).clamp(0, 1)

    def gradient() -> tuple[Tensor, Tensor]:
        given = images.clone().requires_grad_()
        score = metric(given, clear)
        return score.detach(), torch.autograd.grad(score.sum(), given)[0]

    fast = gradient()
    calls: list[Any] = []
    monkeypatch.setattr(
        metric_robustness.metrics.filters_adapter, "_plain", lambda *given, **named: calls.append(given)
    )
    usual = gradient()
    assert calls
    torch.testing.assert_close(fast[0], usual[0], atol=1e-6, rtol=1e-5)
    assert (fast[1] - usual[1]).abs().max() < 1e-4 * usual[1].abs().max()
