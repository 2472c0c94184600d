"""Entries that repeat pyiqa's computation, because pyiqa's own forward stops the gradient or needs CUDA."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from pyiqa.archs import maclip_arch
from torch import Tensor
from untrained import offline

from metric_robustness.metrics.base import FullReference, Metric
from metric_robustness.metrics.pyiqa_adapter import build
from metric_robustness.pipeline.catalogue.lookup import find


@pytest.fixture(scope="module", autouse=True)
def patch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    with offline(tmp_path_factory.mktemp("untrained")) as patch:
        yield patch


def load(name: str) -> Metric:
    metric: Metric = find("metrics", name).load()()
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
