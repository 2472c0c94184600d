"""R-LPIPS reads what the authors' trainer saves: the whole network, its trunk included."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from pyiqa.archs.lpips_arch import LPIPS

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.contract.base import photographs

TRUNK, FILE = lookup.find("metrics", "r_lpips").fields["weights"]


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
