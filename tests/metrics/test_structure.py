"""The deep metrics whose weights are not at hand: each is built by its own file with random weights, and scores."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from pyiqa.archs import clip_model, clipiqa_arch, metaiqa_arch
from torch import Tensor, nn

from metrics.base import FullReference, Metric
from pipeline.catalog import find

MODULES = {
    "clipiqa_plus": "clipiqa",
    "cnniqa": "cnniqa",
    "dbcnn": "dbcnn",
    "dists": "dists",
    "hyperiqa": "hypernet",
    "lpips": "lpips",
    "maniqa": "maniqa",
    "metaiqa": "metaiqa",
    "musiq": "musiq",
    "nima": "nima",
    "paq2piq": "paq2piq",
    "topiq_nr": "topiq",
}
FEWER_CROPS = {"maniqa": {"test_sample": 1}, "hyperiqa": {"num_crop": 4}}  # of 20 and 25: a matter of time only


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces what loads weights in the packages of others; they still build every network."""

    def untrained(build: Callable[..., nn.Module], **never: Any) -> Callable[..., nn.Module]:
        return lambda *args, **options: build(*args, **(options | never))

    create = timm.create_model  # MANIQA's transformer takes a minute at full size

    def create_model(name: str, **options: Any) -> nn.Module:
        smaller = {"depth": 10, "mlp_ratio": 0.5} if name.startswith("vit") else {}
        return create(name, **(options | smaller | {"pretrained": False}))

    monkeypatch.setattr(timm, "create_model", create_model)
    for name in ("alexnet", "resnet18", "vgg16"):
        monkeypatch.setattr(torchvision.models, name, untrained(getattr(torchvision.models, name), weights=None))
    for name in MODULES.values():
        module = importlib.import_module(f"pyiqa.archs.{name}_arch")
        if hasattr(module, "load_pretrained_network"):
            monkeypatch.setattr(module, "load_pretrained_network", lambda *_, **__: None)
    torch.save({}, tmp_path / "metaiqa.pth")
    torch.save(0.02 * torch.randn(16, 512), tmp_path / "prompts.pth")
    monkeypatch.setattr(metaiqa_arch, "load_file_from_url", lambda _: str(tmp_path / "metaiqa.pth"))
    monkeypatch.setattr(clipiqa_arch, "load_file_from_url", lambda _: str(tmp_path / "prompts.pth"))
    monkeypatch.setattr(clipiqa_arch, "load", lambda *_: random_clip())


def random_clip() -> nn.Module:
    """Returns CLIP with the sizes of its ResNet-50."""
    model: nn.Module = clip_model.CLIP(1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12)
    return model.float().eval()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", MODULES)
def test_builds_and_scores(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = find("metrics", name)
    monkeypatch.setattr(entry.load(), "options", FEWER_CROPS.get(name, {}))
    metric = entry.load()().eval().requires_grad_(False)
    for size in ((97, 131), (240, 226)):
        check(metric, *size)
    assert len(entry.fields["weights"]) == len(set(entry.fields["weights"])) > 0


def check(metric: Metric, height: int, width: int) -> None:
    generator = torch.Generator().manual_seed(height)
    images, references = torch.rand(2, 2, 3, height, width, generator=generator).unbind()
    references = references if isinstance(metric, FullReference) else None
    images.requires_grad_()
    scores = metric(images, references)
    assert scores.shape == (2,)
    assert scores.isfinite().all()
    (gradient,) = torch.autograd.grad(scores.sum(), images)
    assert gradient.isfinite().all()
    assert (gradient.abs().amax(dim=(1, 2, 3)) > 0).all()
    with torch.no_grad():
        alone = metric(images[1:], None if references is None else references[1:])
    torch.testing.assert_close(alone, scores[1:].detach(), rtol=1e-5, atol=1e-6)


def test_every_part_moves_with_the_metric(offline: None) -> None:
    metric: Metric = find("metrics", "clipiqa_plus").load()()  # keeps CLIP in a plain list and prompts in plain tensors
    metric.to("meta")
    parts = [metric.net, *metric.beside]
    hidden = [value for part in parts for module in part.modules() for value in vars(module).values()]
    assert not any(isinstance(value, Tensor) for value in hidden)
    assert all(value.is_meta for part in parts for value in (*part.parameters(), *part.buffers()))
