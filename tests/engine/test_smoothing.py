"""The certificate of median smoothing, on metrics whose true median after any change is known on paper."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import binom, norm
from torch import Tensor

from metric_robustness.pipeline.engine.metric.objective import ImageNoise
from metric_robustness.pipeline.engine.metric.smoothing import CertifiedMedian, l2_norm

SMOOTHING = CertifiedMedian(sigma=0.12, samples=1000)
SIDE = 12


@dataclass(frozen=True)
class Analytic:
    """A metric g(w . x): its score under Gaussian noise is g of a normal variable, whose median can be computed."""

    shape: Callable[[Tensor], Tensor]
    median: Callable[[float, float], float]  # of shape(N(mean, deviation))

    def weights(self) -> Tensor:
        weights = torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(8))
        return weights / weights.norm()

    def __call__(self, images: Tensor) -> Tensor:
        return self.shape((images * self.weights()).sum(dim=(1, 2, 3)))

    def true_medians(self, images: Tensor) -> list[float]:
        means = (images * self.weights()).sum(dim=(1, 2, 3)).tolist()
        return [self.median(mean, SMOOTHING.sigma) for mean in means]


def folded_median(mean: float, deviation: float) -> float:
    def share(bound: float) -> float:
        return ndtr((bound - mean) / deviation) - ndtr((-bound - mean) / deviation) - 0.5  # norm.cdf is slow

    return float(brentq(share, 0, abs(mean) + 9 * deviation))


METRICS = {
    "linear": Analytic(lambda place: place, lambda mean, _: mean),
    "steep": Analytic(lambda place: (20 * place).tanh(), lambda mean, _: math.tanh(20 * mean)),
    "folded": Analytic(torch.abs, folded_median),
}


@pytest.fixture
def images() -> Tensor:
    """Returns three images so far from black and white that no noise is clipped."""
    generator = torch.Generator().manual_seed(2)
    return 0.5 + 0.05 * torch.rand(3, 3, SIDE, SIDE, generator=generator) - 0.025


class Unclipped(CertifiedMedian):
    """The certificate's median without clipping, because no formula gives the median of clipped noise."""

    def scores(self, score: Callable[[Tensor], Tensor], images: Tensor, noise: ImageNoise) -> Tensor:
        copies = [score(images + self.sigma * noise.normal(images)) for _ in range(self.samples)]
        return torch.stack(copies, dim=1).sort(dim=1).values


def changes(metric: Analytic, images: Tensor, radius: float, number: int = 400) -> Tensor:
    """Returns changes of exactly the radius: along the gradient, against it, and in random directions near and far."""
    images = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(metric(images).sum(), images)
    generator = torch.Generator().manual_seed(11)
    strays = torch.logspace(-3, 2, number).view(-1, 1, 1, 1, 1)
    random = torch.randn(number, *images.shape, generator=generator)
    signs = torch.where(torch.arange(number) % 2 == 0, 1.0, -1.0).view(-1, 1, 1, 1, 1)
    found = torch.cat([signs * gradient + strays * random, gradient[None], -gradient[None]])
    return radius * found / found.flatten(2).norm(dim=2)[..., None, None, None]


@pytest.mark.parametrize("radius", [0.02, 0.12, 0.29])
@pytest.mark.parametrize("name", METRICS)
def test_no_change_within_the_radius_leaves_the_interval(name: str, radius: float, images: Tensor) -> None:
    metric, smoothing = METRICS[name], Unclipped()
    scores = smoothing.scores(metric, images, ImageNoise("smoothing", ["a", "b", "c"]))
    held = smoothing.certify(scores, radius)
    assert held.lowest.isfinite().all()
    assert held.highest.isfinite().all()
    worst = []
    for change in changes(metric, images, radius):
        assert l2_norm(images + change, images).max().item() == pytest.approx(radius, rel=1e-4)
        for median, low, high in zip(
            metric.true_medians(images + change), held.lowest.tolist(), held.highest.tolist(), strict=True
        ):
            assert low <= median <= high
            worst.append(max(median - high, low - median))
    assert max(worst) < 0


def test_the_interval_is_tight_for_a_linear_metric(images: Tensor) -> None:
    smoothing = Unclipped(samples=20_000)
    scores = smoothing.scores(METRICS["linear"], images, ImageNoise("smoothing", ["a", "b", "c"]))
    held = smoothing.certify(scores, 0.12)
    torch.testing.assert_close(held.highest - held.median, torch.full((3,), 0.12), atol=0.01, rtol=0)
    torch.testing.assert_close(held.median - held.lowest, torch.full((3,), 0.12), atol=0.01, rtol=0)


def test_a_change_beyond_the_radius_can_leave_the_interval(images: Tensor) -> None:
    metric, smoothing = METRICS["linear"], Unclipped()
    scores = smoothing.scores(metric, images, ImageNoise("smoothing", ["a", "b", "c"]))
    held = smoothing.certify(scores, 0.12)
    beyond = metric.true_medians(images + 0.2 * metric.weights())
    assert all(median > high for median, high in zip(beyond, held.highest.tolist(), strict=True))


def test_the_rank_is_the_least_that_holds_with_the_wanted_probability() -> None:
    for radius in (0, 0.03, 0.12, 0.25):
        quantile, rank = norm.cdf(radius / 0.12), SMOOTHING.rank(radius)
        assert binom.cdf(rank - 1, 1000, quantile) >= 0.999
        assert binom.cdf(rank - 2, 1000, quantile) < 0.999


def test_bounds_are_wrong_no_more_often_than_said() -> None:
    smoothing = CertifiedMedian(samples=50, error=0.1)
    drawn = 0.12 * torch.randn(4000, 50, generator=torch.Generator().manual_seed(0))
    held = smoothing.certify(drawn.sort(dim=1).values, 0.06)
    wrong = (held.highest < 0.06).float().mean().item()  # the quantile that it bounds is the change itself
    assert 0.03 < wrong < 0.115


def test_beyond_the_largest_radius_nothing_is_known() -> None:
    largest = SMOOTHING.largest_radius()
    assert largest == pytest.approx(0.2956, abs=1e-3)
    scores = torch.linspace(0, 1, 1000).expand(2, 1000)
    assert SMOOTHING.certify(scores, largest - 1e-6).highest.tolist() == [1, 1]
    assert SMOOTHING.certify(scores, largest + 1e-3).highest.tolist() == [math.inf] * 2
    assert SMOOTHING.certify(scores, largest + 1e-3).lowest.tolist() == [-math.inf] * 2


def test_copies_are_clipped_and_depend_on_the_image_alone() -> None:
    seen: list[Tensor] = []

    def score(copies: Tensor) -> Tensor:
        seen.append(copies)
        return copies.mean(dim=(1, 2, 3))

    smoothing, images = CertifiedMedian(samples=20), torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    together = smoothing.scores(score, images, ImageNoise("smoothing", ["a", "b"]))
    assert all(copies.min() >= 0 and copies.max() <= 1 for copies in seen)
    alone = smoothing.scores(score, images[1:], ImageNoise("smoothing", ["b"]))
    torch.testing.assert_close(together[1:], alone)
    assert torch.equal(together, together.sort(dim=1).values)
    assert smoothing.certify(together, 0.01).median.tolist() == pytest.approx(
        together.median(dim=1).values.tolist(), abs=0.01
    )


def test_an_attack_of_two_levels_is_twenty_times_the_largest_radius() -> None:
    clear = torch.full((1, 3, 384, 512), 0.5)
    norm_of_two_levels = l2_norm(clear + 2 / 255, clear).item()
    assert norm_of_two_levels == pytest.approx(2 / 255 * math.sqrt(3 * 384 * 512), rel=1e-4)
    assert norm_of_two_levels > 20 * SMOOTHING.largest_radius()
