"""The control: its noise is uniform, depends on names alone, and not on the metric."""

from __future__ import annotations

import torch
from analytic_metrics import Linear, random_images, random_weights

from metric_robustness.attacks.noise import UniformNoise
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective

EPS = 10 / 255


def noise(names: list[str], attack: str = "noise", clear: torch.Tensor | None = None) -> torch.Tensor:
    clear = random_images(1, (40, 50)).expand(len(names), -1, -1, -1) if clear is None else clear
    objective = MetricObjective(Linear(random_weights((40, 50))), access=UniformNoise.access)
    return UniformNoise()(clear, objective, ImageNoise(attack, names)) - clear


def test_is_uniform_within_eps():
    moved = noise([f"{i}.png" for i in range(4)])
    count = moved.numel()
    assert moved.abs().max() <= EPS + 1e-6
    assert moved.max() > 0.999 * EPS
    assert moved.min() < -0.999 * EPS
    assert abs(moved.mean()) < 4 * EPS / (3 * count) ** 0.5  # four standard errors
    histogram = torch.histc(moved, 20, -EPS, EPS) / count
    assert (histogram - 1 / 20).abs().max() < 4 * (0.05 * 0.95 / count) ** 0.5


def test_is_seeded_by_the_names_alone():
    a, b, c = noise(["a.png", "b.png", "c.png"])
    torch.manual_seed(1)  # the global generator must not matter
    assert torch.equal(noise(["b.png"])[0], b)
    assert torch.equal(noise(["c.png", "a.png"]), torch.stack([c, a]))


def test_differs_between_images_and_attacks():
    a, b = noise(["a.png", "b.png"])
    other = noise(["a.png"], attack="square")[0]
    for first, second in ((a, b), (a, other)):
        correlation = torch.corrcoef(torch.stack([first.ravel(), second.ravel()]))[0, 1]
        assert abs(correlation) < 0.06
