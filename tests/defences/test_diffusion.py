"""Diffusion: its steps compared with diffusers' scheduler, its gradient, and the memory that this takes."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from metric_robustness.defences import diffusion_adapter
from metric_robustness.defences.diffpure import DiffPure
from metric_robustness.defences.diffpure_small import DiffPureSmall
from metric_robustness.defences.diffusion_adapter import signal


class Sequence:
    """Noise from one generator, in the order of the draws, as the scheduler draws it."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.generator)

    def uniform(self, like: Tensor) -> Tensor:
        raise AssertionError("diffusion draws Gaussian noise only")


class Network(nn.Module):
    """A network whose output is easy to compute from image and step."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, noisy: Tensor, step: int) -> Network:
        self.sample = torch.cat([0.3 * noisy.flip(3) + step / 100, noisy.sin()], dim=1)[:, : self.channels]
        return self


def by_scheduler(images: Tensor, t: int, network: Network, variance: str, seed: int) -> Tensor:
    scheduler = DDPMScheduler(beta_schedule="linear", variance_type=variance, clip_sample=True)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(images.shape, generator=generator)
    noisy = scheduler.add_noise(2 * images - 1, start, torch.full((len(images),), t - 1))
    for step in reversed(range(t)):
        predicted = network(noisy, step).sample
        noisy = scheduler.step(predicted, step, noisy, generator=generator).prev_sample
    return ((noisy + 1) / 2).clamp(0, 1)


@pytest.mark.parametrize("t", [1, 5, 50])
@pytest.mark.parametrize(
    ("defence", "channels", "variance"), [(DiffPureSmall, 3, "fixed_small"), (DiffPure, 6, "learned_range")]
)
def test_purification_is_diffusers_ancestral_sampling(
    defence: type, channels: int, variance: str, t: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network(channels)
    monkeypatch.setattr(defence, "__post_init__", lambda self: None)
    monkeypatch.setattr(defence, "network", lambda self, images: network)
    images = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    found = defence(t=t)(images, Sequence(7))
    wanted = by_scheduler(images, t, network, variance, 7)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)  # the scheduler computes in float32


def test_the_gradient_goes_through_every_step_and_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(3)
    monkeypatch.setattr(DiffPureSmall, "__post_init__", lambda self: None)
    monkeypatch.setattr(DiffPureSmall, "network", lambda self, images: network)
    defence = DiffPureSmall(t=5)
    images = 0.4 + 0.2 * torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def value(images: Tensor) -> Tensor:
        return defence(images, Sequence(3)).square().sum()

    (gradient,) = torch.autograd.grad(value(images.requires_grad_()), images)
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    slope = (value(images + 1e-5 * direction) - value(images - 1e-5 * direction)) / 2e-5
    assert slope.item() == pytest.approx((gradient * direction).sum().item(), rel=1e-4)


def test_a_gradient_keeps_the_memory_of_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[int, int] = {}
    network = DiffPureSmall.untrained().eval().requires_grad_(requires_grad=False)
    monkeypatch.setattr(DiffPureSmall, "__post_init__", lambda self: None)
    monkeypatch.setattr(DiffPureSmall, "network", lambda self, images: network)
    for t in (2, 6):
        sizes: list[int] = []

        def pack(value: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(value.numel())
            return value

        images = torch.full((1, 3, 16, 16), 0.5, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
            DiffPureSmall(t=t)(images, Sequence(1))
        kept[t] = sum(sizes)
    per_step = (kept[6] - kept[2]) / 4
    assert per_step < 20 * 3 * 16 * 16  # a few images per step, where the network alone would keep over 100


def test_the_schedule_is_the_papers() -> None:
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    torch.testing.assert_close(signal(), (1 - betas).cumprod(0), atol=1e-6, rtol=1e-3)
    assert diffusion_adapter.log_posterior_variance(0) == diffusion_adapter.log_posterior_variance(1)
