"""The metrics whose weights are not at hand: the entry builds each with random weights, and it scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pyiqa.default_model_configs import DEFAULT_CONFIGS
from torch import Tensor
from untrained import FEWER_CROPS, offline, write_empty_states

from metric_robustness.metrics.base import Metric, VideoMetric
from metric_robustness.metrics.pyiqa_adapter import PyiqaMetric
from metric_robustness.pipeline.catalogue import lookup

METRICS = lookup.entries("metrics")
WITH_WEIGHTS = {
    "brisque",
    "elpips",
    "ilniqe",
    "lipsim",
    "lpips_squeeze",
    "niqe_official",
    "vmaf",
    "vmaf_neg_video",
    "vmaf_video",
}  # test_contract, test_imported_networks, test_official_values and test_real_networks run them
TOO_SLOW = {  # built, never run
    "ahiq": "half a minute: a transformer of 784 tokens sees the pair",
    "linearity": "half a minute: ResNeXt-101 sees every image at 498x664",
    "maniqa_pipal": "half a minute, and the same network as maniqa with another constant",
}
TOO_LARGE = {  # refused without their files
    "compare2score": "7 billion parameters and anchors, from a hub",
    "qalign": "7 billion parameters, from a hub",
    "qalign_4bit": "7 billion parameters, from a hub",
    "qalign_8bit": "7 billion parameters, from a hub",
    "qrealign_lite": "4 billion parameters, from a hub",
    "qrealign_mini": "0.8 billion parameters, from a hub",
    "qrealign_pro": "9 billion parameters, from a hub",
}
DOWNLOADED = [
    name
    for name, entry in METRICS.items()
    if any(not weight.startswith("weights/") for weight in entry.fields.get("weights", ()))
    and name not in WITH_WEIGHTS | TOO_LARGE.keys()
]
TRAINING = {"pretrained", "train_dataset", "regressor_dataset", "model_name", "model_type"}  # they select weights


def network(name: str) -> object:
    """Returns a key that entries share if they differ in their weights only."""
    kind = METRICS[name].load()
    if not issubclass(kind, PyiqaMetric) or "score" in vars(kind):
        return name
    config = DEFAULT_CONFIGS[kind.model]
    options = {key: value for key, value in config["metric_opts"].items() if key not in TRAINING}
    return kind.__bases__, str(options), str(kind.options), kind.smallest, config["score_range"]


FIRST = {network(name): name for name in reversed(DOWNLOADED)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("untrained")
    with offline(path):
        yield path


def built(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Metric:
    kind, weights = METRICS[name].load(), METRICS[name].fields["weights"]
    if name in FEWER_CROPS:
        monkeypatch.setattr(kind, "options", kind.options | FEWER_CROPS[name])
    write_empty_states(weights, folder)
    torch.manual_seed(0)  # with some seeds scores explode, and so do rounding differences between batches
    metric: Metric = kind().eval().requires_grad_(False)
    assert len(weights) == len(set(weights)) > 0
    return metric


@pytest.mark.parametrize("name", [name for name in FIRST.values() if name not in TOO_SLOW])
def test_scores_and_gradients(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = built(name, folder, monkeypatch)
    images, references = pair(metric)
    with torch.no_grad():
        together = metric(images, references)
    assert together.shape == (2,)
    assert together.isfinite().all()
    one = images[1:].clone().requires_grad_(metric.differentiable)
    alone = metric(one, None if references is None else references[1:])
    span = metric.score_range[1] - metric.score_range[0]
    torch.testing.assert_close(alone.detach(), together[1:], rtol=1e-5, atol=1e-5 * span)
    if metric.differentiable:
        (gradient,) = torch.autograd.grad(alone.sum(), one)
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0


@pytest.mark.parametrize("name", [name for name in DOWNLOADED if name not in FIRST.values() and name not in TOO_SLOW])
def test_another_training_of_the_same_network_scores(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = built(name, folder, monkeypatch)
    images, references = pair(metric)
    with torch.no_grad():
        score = metric(images[:1], None if references is None else references[:1])
    assert score.shape == (1,)
    assert score.isfinite()


@pytest.mark.parametrize("name", TOO_SLOW)
def test_a_slow_one_is_built(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(value.numel() for value in built(name, folder, monkeypatch).parameters()) > 1e7


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_large_one_without_its_files_says_which(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match=METRICS[name].fields["weights"][0]) as error:
        METRICS[name].load()()
    assert "\n" not in str(error.value)
    assert METRICS[name].fields["gpu_memory"] >= 8


def pair(metric: Metric) -> tuple[Tensor, Tensor | None]:
    """Returns two images, or clips, of the smallest size, one side odd, and references where the metric wants them."""
    least = metric.smallest
    generator = torch.Generator().manual_seed(least)
    frames = (2,) if isinstance(metric, VideoMetric) else ()
    images, references = torch.rand(2, 2, *frames, 3, least, least + 1, generator=generator).unbind()
    return images, references if metric.full_reference else None


def test_every_part_moves_with_the_metric(folder: Path) -> None:
    metric = METRICS["clipiqa_plus"].load()()  # pyiqa keeps its CLIP in a plain list, its prompts in plain tensors
    metric.to("meta")
    parts = [metric.net, *metric.hidden_networks]
    hidden = [value for part in parts for module in part.modules() for value in vars(module).values()]
    assert not any(isinstance(value, Tensor) for value in hidden)
    assert all(value.is_meta for part in parts for value in (*part.parameters(), *part.buffers()))
