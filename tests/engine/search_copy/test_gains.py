"""A trained network is moved as far whether the search runs on its copy or on the network itself.

The shared weights hold no network whose batch norms fold, so one is trained here, in seconds: it tells how noisy crops
of photographs are. One with random weights would show nothing: another memory layout of the very same network moves its
attacks elsewhere, too.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.engine.metric.compiling import Ahead, CompiledSearch
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective
from metric_robustness.pipeline.engine.metric.runner import MetricRunner, Searched
from metric_robustness.pipeline.engine.metric.search_copy.agree import CopyComparison
from metric_robustness.pipeline.engine.metric.search_copy.fold import foldable, folded

pytestmark = pytest.mark.usefixtures("compiler")

SIDE, BATCH, STEPS = 64, 16, 200


def block(channels: int, made: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, made, 3, stride=2, bias=False), nn.BatchNorm2d(made), nn.ReLU())


class Cleanness(NoReference):
    """Rates how little noise there is."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 1), nn.Sigmoid()
            self.net = nn.Sequential(block(3, 16), block(16, 32), block(32, 64), *pooled)

    def score(self, images: Tensor) -> Tensor:
        return self.net(images).squeeze(1)


@pytest.fixture(scope="module")
def photographs(shared_data: Path) -> list[Tensor]:
    files = sorted((shared_data / "images" / "kodak24").glob("*.png"))
    pixels = (np.asarray(Image.open(file).convert("RGB"))[::2, ::2] for file in files)
    return [torch.tensor(each).permute(2, 0, 1).float() / 255 for each in pixels]


@pytest.fixture(scope="module")
def trained(photographs: list[Tensor]) -> Cleanness:
    metric, draws = Cleanness().train(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(metric.parameters(), 3e-3)
    for _ in range(STEPS):
        crops = torch.stack([crop(photographs, draws) for _ in range(BATCH)])
        wanted = torch.rand(BATCH, generator=draws)
        noise = torch.randn(crops.shape, generator=draws) * 0.2 * (1 - wanted)[:, None, None, None]
        loss = (metric.score((crops + noise).clamp(0, 1)) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return metric.eval().requires_grad_(False)


def crop(photographs: list[Tensor], draws: torch.Generator) -> Tensor:
    photo = photographs[int(torch.randint(len(photographs), (1,), generator=draws))]
    top, left = (int(torch.randint(side - SIDE, (1,), generator=draws)) for side in photo.shape[1:])
    return photo[:, top : top + SIDE, left : left + SIDE]


@pytest.fixture(scope="module")
def images(photographs: list[Tensor]) -> Tensor:
    return torch.stack([photo[:, 40:136, 40:136] for photo in photographs[:3]])


@pytest.fixture(scope="module")
def compiled(trained: Cleanness, images: Tensor) -> CompiledSearch:
    runner = MetricRunner(lookup.find("metrics", "small_cnn"), Path())
    search = CompiledSearch(runner, Searched(folded(trained, foldable(trained)), "a copy"))
    assert search.compile(images, None, Ahead(True, False, math.inf)) == ""
    assert search.compile(images, None, Ahead(False, False, math.inf)) == ""
    return search


@pytest.mark.parametrize("name", ["fgsm", "ifgsm", "mifgsm", "korhonen", "adam", "apgd", "square"])
def test_base_and_strong_suite_gain_the_same_on_the_copy_compiled_or_not(
    name: str, trained: Cleanness, images: Tensor, compiled: CompiledSearch
) -> None:
    twin = folded(trained, foldable(trained))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in twin.modules())
    assert CopyComparison(trained, twin).disagreement([(images, None)]) == ""
    attack = lookup.find("attacks", name).load()()
    gains = []
    for searched in (trained, twin, compiled.metric):
        objective = MetricObjective(searched, access=attack.access)
        attacked = attack.rounded(attack(images, objective, ImageNoise(name, ["a", "b", "c"])), images)
        with torch.no_grad():
            gains.append(trained(attacked) - trained(images))
    assert gains[0].abs().max() > 0.005  # the attack did something
    assert (gains[0] - gains[1]).abs().max() < 0.005  # of the range, which is 1
    assert (gains[0] - gains[2]).abs().max() < 0.005
