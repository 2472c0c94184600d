"""Entries that repeat pyiqa's computation: its own stops the gradient, needs CUDA or takes several times as long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from float64 import float64
from pyiqa.archs import maclip_arch, nrqm_arch
from torch import Tensor
from untrained import offline

from metric_robustness.metrics.base import FullReference
from metric_robustness.metrics.nrqm_adapter import Forest, frequencies, halved, singular_values
from metric_robustness.metrics.nrqm_bands_adapter import band_features
from metric_robustness.metrics.pyiqa_adapter import build
from metric_robustness.pipeline.catalogue.lookup import find
from metric_robustness.pipeline.contract.base import photographs


@pytest.fixture(scope="module", autouse=True)
def patch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    with offline(tmp_path_factory.mktemp("untrained")) as patch:
        yield patch


def load(name: str) -> Any:
    metric: Any = find("metrics", name).load()()
    return metric.eval().requires_grad_(False)


def photos(side: int) -> Tensor:
    return torch.rand(2, 3, side, side + 32, generator=torch.Generator().manual_seed(side))


@pytest.mark.parametrize("name", ["afine_nr", "afine_fr", "afine_all", "afine_all_scale"])
def test_afine(name: str) -> None:
    metric = load(name)
    pair = [photos(64), photos(64).flip(0)][: 2 if isinstance(metric, FullReference) else 1]
    theirs = [metric.net(*(image[i : i + 1].clone() for image in pair)).item() for i in range(2)]
    torch.testing.assert_close(metric(*pair), torch.tensor(theirs), rtol=1e-5, atol=1e-6)


def test_maclip(monkeypatch: pytest.MonkeyPatch) -> None:
    move = Tensor.to
    monkeypatch.setattr(
        Tensor, "to", lambda self, *where, **how: self if where == ("cuda",) else move(self, *where, **how)
    )
    monkeypatch.setattr(Tensor, "cuda", lambda self: self)
    metric, theirs = load("maclip"), maclip_arch.MACLIP().eval()
    theirs.clip_model.clip_model.load_state_dict(metric.clip.state_dict())
    images = photos(260)
    with torch.no_grad():
        expected = torch.stack([theirs(image[None]) for image in images])
    torch.testing.assert_close(metric(images), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["niqe_matlab", "brisque_matlab"])
def test_as_matlab_ships_them(name: str) -> None:
    theirs = build(name, {}, ())
    images = photos(192)
    expected = theirs(images.double()).float().reshape(2)
    torch.testing.assert_close(load(name)(images), expected, rtol=1e-5, atol=1e-4)


def pairs(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Returns a photograph, and a grey one, with noise, and both without; float64."""
    clear = photographs(height, width)[:2].double()
    clear[1] = clear[1].mean(0)
    noise = torch.randn(clear.shape, dtype=torch.double, generator=torch.Generator().manual_seed(height))
    return (clear + 0.03 * noise).clamp(0, 1), clear


def score_and_slopes(score: Callable[[Tensor, Tensor], Tensor], images: Tensor, clear: Tensor) -> tuple[Tensor, Tensor]:
    given = images.clone().requires_grad_()
    scores = score(given, clear)
    return scores.detach(), torch.autograd.grad(scores.sum(), given)[0]


@pytest.mark.parametrize("side", [(128, 144), (133, 107)])
@pytest.mark.parametrize("name", ["mad", "msswd"])
def test_differences_and_their_gradients(name: str, side: tuple[int, int]) -> None:
    metric, theirs, images = load(name).double(), build(name, {}, ()).double().requires_grad_(False), pairs(*side)
    if name == "msswd":  # both are built with random weights
        theirs.conv11x11.weight.data, theirs.conv_m1.weight.data = metric.filters, metric.mixture[:, :, None, None]
    scores, slopes = score_and_slopes(metric.unchecked, *images)
    with float64():
        wanted, wanted_slopes = score_and_slopes(theirs, *images)
    wanted_slopes = wanted_slopes.nan_to_num(nan=0.0)  # MAD's, of a channel in which no difference is visible
    torch.testing.assert_close(scores.double(), wanted, rtol=1e-6, atol=0)
    far = (slopes - wanted_slopes).abs() > 1e-6 * wanted_slopes.abs().max()
    assert far.double().mean() < 0.01  # two values of MS-SWD that are equal but for rounding change 121 pixels
    assert (slopes - wanted_slopes).norm() < 1e-2 * wanted_slopes.norm()


def test_msswd_gives_both_images_a_gradient() -> None:
    metric, (images, clear) = load("msswd").double(), pairs(40, 48)
    _, slopes = score_and_slopes(lambda one, other: metric.unchecked(other, one), clear, images)
    _, expected = score_and_slopes(metric.unchecked, clear, images)
    torch.testing.assert_close(slopes, expected)  # a distance is symmetric


@pytest.mark.parametrize("side", [(128, 144), (133, 107), (139, 150), (16, 17)])
def test_piqe(side: tuple[int, int]) -> None:
    theirs, images = build("piqe", {}, ()), pairs(*side)[0]
    torch.testing.assert_close(load("piqe").unchecked(images).double(), theirs(images), rtol=1e-6, atol=0)
    torch.testing.assert_close(load("piqe")(images.float()), theirs(images.float()), rtol=1e-5, atol=0)


@pytest.mark.parametrize("side", [(128, 144), (133, 107)])
def test_features_of_nrqm(side: tuple[int, int]) -> None:
    levels = (255 * pairs(*side)[0].mean(1, keepdim=True)).round()
    scales = nrqm_arch.get_gauss_pyramid(levels / 255)
    for scale, ours in zip(scales[1:], (halved(levels / 255), halved(halved(levels / 255))), strict=True):
        torch.testing.assert_close(ours, scale, rtol=1e-6, atol=1e-6)
    for scale in scales:
        torch.testing.assert_close(frequencies(scale), nrqm_arch.block_dct(scale), rtol=1e-6, atol=1e-6)
        expected = torch.linalg.svdvals(nrqm_arch.im2col(scale, 5, "distinct"))
        torch.testing.assert_close(singular_values(scale), expected, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(band_features(levels), nrqm_arch.global_gsm(levels), rtol=1e-5, atol=1e-6)


def test_forests_of_nrqm() -> None:
    generator, nodes, trees = np.random.default_rng(0), 63, 20
    child = np.arange(nodes)[:, None] * np.ones((1, trees), int)
    left, right = (np.where(child < nodes // 2, 2 * child + side, 0) for side in (2, 3))
    left[7, ::2] = right[7, ::2] = 0  # a leaf in the middle
    threshold, prediction = generator.normal(size=(2, nodes, trees))
    parts = (left, right, threshold, prediction, generator.integers(1, 9, size=(nodes, trees)))
    features = torch.from_numpy(generator.normal(size=(16, 8)))
    rated, expected = Forest(*parts)(features), nrqm_arch.random_forest_regression(features, *parts).flatten()
    torch.testing.assert_close(rated, expected.double())
    assert rated.std() > 0


@pytest.mark.parametrize("name", ["nrqm", "pi"])
def test_whole_rating(name: str) -> None:
    metric, theirs, images = load(name), build(name, {}, ()), pairs(139, 150)[0].float()
    torch.testing.assert_close(metric(images), theirs(images).float(), rtol=1e-5, atol=0)
    flat = torch.stack([torch.zeros(3, 139, 150), torch.full((3, 139, 150), 0.5), images[0]])
    assert metric(flat)[:2].isfinite().all()
    torch.testing.assert_close(metric(flat)[2:], metric(images[:1]))
