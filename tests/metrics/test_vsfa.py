"""VSFA and MDTVSFA with published heads on a random backbone, compared with the formulas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from metric_robustness.metrics.base import VideoMetric
from metric_robustness.metrics.vsfa_adapter import as_remembered
from metric_robustness.pipeline.catalogue import lookup

HEADS = {"vsfa": "VSFA.pt", "mdtvsfa": "MDTVSFA.pt"}
NAMES = {  # the authors' names of the parts
    "vsfa": ("ann.fc0", "rnn", "q"),
    "mdtvsfa": ("dimemsion_reduction", "feature_aggregation", "regression"),
}


@pytest.fixture(scope="module", autouse=True)
def torch_home(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Makes a cache of weights with the published heads and a random backbone."""
    home = tmp_path_factory.mktemp("torch_home")
    (home / "hub" / "checkpoints").mkdir(parents=True)
    for name, file in HEADS.items():
        backbone, head = lookup.find("metrics", name).fields["weights"]
        (home / head).symlink_to(shared_data / "weights" / file)
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet50(weights=None).state_dict(), home / backbone)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(home))
        yield


def load(name: str) -> VideoMetric:
    metric: VideoMetric = lookup.find("metrics", name).load()()
    return metric.eval().requires_grad_(False)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(name: str, state: dict[str, np.ndarray], features: np.ndarray) -> float:
    """Returns the score of (T, 4096) features: reduction, gated recurrent units, rating, pooling, frame by frame."""
    reduction, memory, rating = NAMES[name]
    hidden, ratings = np.zeros(32), []
    for frame in features:
        x = state[f"{reduction}.weight"] @ frame + state[f"{reduction}.bias"]
        new = state[f"{memory}.weight_ih_l0"] @ x + state[f"{memory}.bias_ih_l0"]
        old = state[f"{memory}.weight_hh_l0"] @ hidden + state[f"{memory}.bias_hh_l0"]
        reset, update = (sigmoid(new[part] + old[part]) for part in (slice(32), slice(32, 64)))
        candidate = np.tanh(new[64:] + reset * old[64:])
        hidden = (1 - update) * candidate + update * hidden
        ratings.append((state[f"{rating}.weight"] @ hidden + state[f"{rating}.bias"]).item())
    return pooled_by_hand(ratings)


def pooled_by_hand(ratings: list[float]) -> float:
    felt = []
    for t in range(len(ratings)):
        worst = min(ratings[max(0, t - 11) : t + 1])
        coming = np.array(ratings[t : t + 12])
        weights = np.exp(-coming)
        felt.append(0.5 * worst + 0.5 * (weights * coming).sum() / weights.sum())
    return float(np.mean(felt))


@pytest.mark.parametrize("length", [1, 5, 12, 40])
def test_pooling_is_the_formula(length: int) -> None:
    ratings = np.random.default_rng(length).normal(size=(2, length))
    pooled = as_remembered(torch.tensor(ratings))
    assert pooled.tolist() == pytest.approx([pooled_by_hand(row.tolist()) for row in ratings], rel=1e-12)


@pytest.mark.parametrize("name", HEADS)
def test_the_head_is_the_formula(name: str, shared_data: Path) -> None:
    state = torch.load(shared_data / "weights" / HEADS[name], map_location="cpu", weights_only=True)
    state = {key: value.double().numpy() for key, value in state.items()}
    features = np.abs(np.random.default_rng(0).normal(size=(25, 4096)))
    expected = by_hand(name, state, features)
    if name == "mdtvsfa":
        inner = sigmoid(state["nlm.0.weight"] * sigmoid(expected) + state["nlm.0.bias"])
        expected = (state["nlm.2.weight"] * inner + state["nlm.2.bias"]).item()
    found = load(name).double().pool(torch.tensor(features)[None])
    assert found.tolist() == pytest.approx([expected], rel=1e-9)


def test_features_are_means_and_deviations_of_the_last_maps() -> None:
    metric = load("vsfa")
    frames = torch.rand(2, 3, 96, 130, generator=torch.Generator().manual_seed(0))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    maps = metric.backbone((frames - mean[:, None, None]) / deviation[:, None, None])
    assert maps.shape == (2, 2048, 3, 5)
    found = metric.features(frames)
    torch.testing.assert_close(found[:, :2048], maps.mean(dim=(2, 3)))
    torch.testing.assert_close(found[:, 2048:], maps.std(dim=(2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_a_clip_has_a_score_and_each_of_its_frames_a_gradient(name: str) -> None:
    clip = torch.rand(1, 3, 3, 64, 70, generator=torch.Generator().manual_seed(0)).requires_grad_()
    metric = load(name)
    score = metric(clip)
    (gradient,) = torch.autograd.grad(score.sum(), clip)
    assert gradient.isfinite().all()
    assert (gradient.abs().flatten(2).amax(dim=2) > 0).all()
    torch.testing.assert_close(metric(torch.cat([clip.flip(1), clip]))[1:], score)
