"""Filters: the fast gradient is PyTorch's own; those that metrics make themselves have the bits of pyiqa's."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from pyiqa.archs.fsim_arch import _construct_filters
from pyiqa.archs.vif_arch import sp5_filters as their_sp5_filters
from pyiqa.archs.vsi_arch import _log_gabor
from pyiqa.matlab_utils import fspecial, imresize
from pyiqa.matlab_utils.math_util import prepare_grid, rcosFn
from torch import Tensor
from torch.nn.functional import conv2d

import metric_robustness.metrics.filters_adapter
from metric_robustness.metrics import steerable_adapter
from metric_robustness.metrics.base import Metric
from metric_robustness.metrics.filters_adapter import FixedFilters, gaussian, smooth
from metric_robustness.metrics.frequencies_adapter import oriented
from metric_robustness.metrics.natural_scenes_adapter import halved
from metric_robustness.metrics.saliency_adapter import BANDWIDTH, CENTRE_FREQUENCY, SIDE, Saliency
from metric_robustness.metrics.sp5_adapter import sp5_filters
from metric_robustness.metrics.window_adapter import gaussian_window
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.contract.base import photographs
from metric_robustness.pipeline.places import CODE

SIZES = [(64, 64), (65, 80), (101, 77), (299, 300)]
OWN = ("cw_ssim", "entropy", "fsim", "niqe", "vif", "vsi")
LOADED = f"""
import sys
from metric_robustness.pipeline.catalogue import lookup
for name in {OWN}:
    lookup.find("metrics", name).load()()
print(*sorted({{"pyiqa", "torchvision", "cv2"}} & sys.modules.keys()))
"""


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


@pytest.mark.parametrize("size", SIZES)
def test_the_waves_of_phase_congruency(size):
    theirs = _construct_filters(torch.empty(1, 1, *size), 4, 4)[0]
    assert torch.equal(oriented(*size, 4, 4).flatten(0, 1), theirs)


def test_the_band_of_saliency():
    theirs = _log_gabor((SIDE, SIDE), CENTRE_FREQUENCY, BANDWIDTH)
    assert torch.equal(Saliency().band, theirs[:, : SIDE // 2 + 1])


@pytest.mark.parametrize("size", SIZES)
def test_the_grid_of_the_steerable_pyramid(size):
    for ours, theirs in zip(steerable_adapter._polar(*size), prepare_grid(*size), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_table_of_the_steerable_pyramid():
    ramp, values = rcosFn(1, -0.5)
    np.testing.assert_array_equal(steerable_adapter._radial(), (ramp, np.sqrt(values)))


@pytest.mark.parametrize(("size", "sigma"), [((7, 7), 7 / 6), ((32, 24), 8.0), ((5, 5), 0.1)])
def test_gaussian_windows(size, sigma):
    assert torch.equal(gaussian_window(*size, sigma), fspecial(size, sigma))


def test_the_pyramid_of_vif():
    theirs = {name: torch.from_numpy(values).float() for name, values in their_sp5_filters().items()}
    ours = sp5_filters()
    assert torch.equal(ours["first"][0, 0], theirs["lo0filt"])
    assert torch.equal(ours["lower"][0, 0], theirs["lofilt"])
    for band, number in zip(ours["oriented"], (0, 3), strict=True):
        assert torch.equal(band[0], theirs["bfilts"][:, number].reshape(7, 7).T)


@pytest.mark.parametrize("size", [(96, 96), (288, 192)])
def test_halved_images(size):
    images = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0)).double()
    assert torch.equal(halved(images), imresize(images, scale=0.5, antialiasing=True))


def test_metrics_with_own_filters_load_no_pyiqa():
    told = subprocess.run([sys.executable, "-c", LOADED], cwd=CODE, capture_output=True, text=True, check=True)
    assert told.stdout == "\n"
