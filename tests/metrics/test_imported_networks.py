"""R-LPIPS and LipSim, whose weights are imported: they read what their authors' trainers save."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from pyiqa.archs.lpips_arch import LPIPS

from metric_robustness.metrics.lipsim import LipSim
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.contract.base import photographs

TRUNK, FILE = lookup.find("metrics", "r_lpips").fields["weights"]
(CHECKPOINT,) = lookup.find("metrics", "lipsim").fields["weights"]
CHANNELS, FEATURES, SIDE = 10, 10 * 14 * 14, 224


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns where the file goes; beside it is a trunk that no training has seen."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / FILE
    place.parent.mkdir(parents=True)
    torch.save(torchvision.models.alexnet().state_dict(), tmp_path / TRUNK)
    return place


@torch.no_grad()
def trained() -> LPIPS:
    """Returns a network as a training leaves it: no weight is negative, as the trainer clamps them."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = LPIPS(pretrained=False)
        for parameter in network.net.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
        for layer in network.lins:
            layer.model[-1].weight.clamp_(min=0)
    return network.eval()


def test_its_score_is_that_of_the_network_that_was_saved(place):
    network, (clear, other) = trained(), photographs(64, 64, 2)
    torch.save(network.state_dict(), place)
    metric = lookup.find("metrics", "r_lpips").load()().eval()
    assert metric(clear[None], other[None]).item() == pytest.approx(network(other[None], clear[None]).item(), rel=1e-5)
    assert metric(clear[None], clear[None]).item() == 0


def test_a_file_of_the_last_layer_alone_is_refused(place):
    state = {name: value for name, value in trained().state_dict().items() if name.startswith("lin")}
    torch.save(state, place)
    with pytest.raises(ValueError, match="R-LPIPS must be built from"):
        lookup.find("metrics", "r_lpips").load()()


@pytest.fixture
def lipsim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LipSim:
    """Returns LipSim with a checkpoint of random weights, some of which are large."""
    random = torch.Generator().manual_seed(3)
    state = {}
    for number in range(3):
        for name in (f"convs.{number}", f"base.1.{number}"):  # the trainer's network has each layer twice
            state[f"module.model.{name}.kernel"] = torch.randn(5, CHANNELS, 3, 3, generator=random)
            state[f"module.model.{name}.bias"] = torch.randn(1, 5, 1, 1, generator=random)
            state[f"module.model.{name}.q"] = torch.randn(5, generator=random)
    for number in range(1, 3):
        state[f"module.model.linear.{number}.weight"] = torch.randn(40, FEATURES, generator=random)
        state[f"module.model.linear.{number}.bias"] = torch.randn(1, 40, generator=random)
        state[f"module.model.linear.{number}.q"] = torch.randn(40, generator=random)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / CHECKPOINT
    file.parent.mkdir(parents=True)
    torch.save({"epoch": 1, "model_state_dict": state}, file)
    metric = lookup.find("metrics", "lipsim").load()().eval()
    assert len(metric.convolutions) == 3
    assert len(metric.layers) == 2
    return metric


def test_lipsim_stretches_no_difference(lipsim):
    """The largest singular value of its embedding's Jacobian, by power iteration, is at most 1, and hardly below."""
    (image,) = photographs(SIDE, SIDE, 1)

    def embedding(images):
        return lipsim.embedding(images[None])[0]

    _, pull = torch.func.vjp(embedding, image)
    change = torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    for _ in range(12):
        change = change / change.norm()
        stretched = torch.func.jvp(embedding, (image,), (change,))[1]
        (change,) = pull(stretched)
    assert 0.3 < stretched.norm() < 1 + 1e-4


def test_lipsim_s_distance_is_one_less_the_cosine(lipsim):
    clear, other = photographs(96, 80, 2)[:, None]
    assert lipsim(clear, clear).item() == pytest.approx(0, abs=1e-6)
    a, b = lipsim.embedding(clear)[0], lipsim.embedding(other)[0]
    assert lipsim(other, clear).item() == pytest.approx(1 - (a @ b / a.norm() / b.norm()).item(), abs=1e-6)
