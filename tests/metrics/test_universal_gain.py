"""A pattern raises its network's scores of photographs that the fit never saw, more than noise of the same size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import decode, to_tensor
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.universal.patterns import patterns_of

SIDE = 240
SETTINGS = {  # few and small crops, few steps: seconds instead of hours
    "cumulative_uap": {"crop": str(SIDE), "least_steps": "1"},
    "optimized_uap": {"crop": str(SIDE), "least_steps": "1", "epochs": "3", "lr": "0.01"},
    "generative_uap": {"crop": str(SIDE), "least_steps": "1", "epochs": "4", "lr": "0.01"},
}
NETWORKS = {"small_cnn": None, "eonss": "eonss.pth"}  # ours, and a published one


@pytest.fixture(params=NETWORKS)
def runner(request, shared_data: Path, tmp_path: Path, monkeypatch) -> MetricRunner:
    """Returns a network's runner, with weights where `weights import` puts them."""
    entry, published = lookup.find("metrics", request.param), NETWORKS[request.param]
    if published:
        (weight,) = entry.fields["weights"]
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
        (tmp_path / "home" / weight).parent.mkdir(parents=True)
        (tmp_path / "home" / weight).symlink_to(shared_data / "weights" / published)
    return MetricRunner(entry, tmp_path)


def unseen(images: Path) -> torch.Tensor:
    """Returns central crops of twelve photographs that are not Kodak's."""
    files = [*sorted((images / "msu_test").glob("*.png")), *sorted((images / "cbsd68").glob("*.png"))[:7]]
    return to_tensor([decode(file, 285) for file in files])


@pytest.mark.parametrize("name", SETTINGS)
def test_beats_noise_of_the_same_largest_value_and_of_the_same_rms(name, runner, shared_data):
    train = open_dataset(str(shared_data / "images" / "kodak24"))
    settings = Settings(overrides=SETTINGS[name])
    cell = Cell(runner.entry, lookup.find("attacks", name), {}, settings, {train.name: train.digest})
    pattern = patterns_of(runner, cell, [train], lambda what, work: None)[""][train.name]
    clear, attack = unseen(shared_data / "images"), cell.attack.load()()
    objective = MetricObjective(runner.metric)
    names = [str(index) for index in range(len(clear))]
    drawn = ImageNoise("noise", names)
    for amplitude in attack.amplitudes[1:]:
        tried = attack.at(amplitude, pattern)
        attacked = tried.rounded(tried(clear, objective, ImageNoise(name, names)), clear)
        change = attacked - clear
        largest, rms = change.abs().amax((1, 2, 3), keepdim=True), change.square().mean((1, 2, 3), keepdim=True).sqrt()
        noise = {"same largest value": largest * drawn.uniform(clear), "same RMS": rms * drawn.normal(clear)}
        before, gained = objective(clear), objective(attacked)
        for size, added in noise.items():
            moved = objective((255 * (clear + added).clamp(0, 1)).round() / 255)
            assert (gained - moved).mean() > 0, size
        assert (gained - before).mean() > 0
