"""Metrics whose optimum is known on paper, and images to attack them on."""

from __future__ import annotations

import torch
from torch import Tensor

from metric_robustness.metrics.base import FullReference, NoReference
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective


class Linear(NoReference):
    """<w, x>: the best change within eps is eps * sign(w); at a fixed RMSE it is parallel to w."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def __init__(self, weights: Tensor, *, higher_is_better: bool = True, range_: float = 1.0) -> None:
        super().__init__()
        self.weights, self.higher_is_better, self.score_range = weights, higher_is_better, (0.0, range_)

    def score(self, images: Tensor) -> Tensor:
        return (images * self.weights).sum((1, 2, 3))


class Quadratic(NoReference):
    """-sum(stiffness * (x - target)^2): the best image is the target, or the nearest point of the box around x."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def __init__(self, target: Tensor, stiffness: Tensor | float = 1.0) -> None:
        super().__init__()
        self.target, self.stiffness = target, stiffness

    def score(self, images: Tensor) -> Tensor:
        return -(self.stiffness * (images - self.target).square()).sum((1, 2, 3))


class Wavy(NoReference):
    """Curved, with products of neighbours; its gradient is elementwise, so bitwise equal alone and in a batch."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def __init__(self, *, higher_is_better: bool = True, range_: float = 1.0) -> None:
        super().__init__()
        self.higher_is_better, self.score_range = higher_is_better, (0.0, range_)

    def score(self, images: Tensor) -> Tensor:
        return ((9 * images).sin() + 3 * images * images.roll((1, 2), (2, 3))).mean((1, 2, 3))


class OddOnBright(Wavy):
    """Wavy, times a factor on images whose mean is over .8: NaN, as after a division by zero variance, or huge."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def score(self, images: Tensor) -> Tensor:
        bright = images.detach().mean((1, 2, 3)) > 0.8
        return super().score(images) * torch.where(bright, self.factor, 1.0)


class Distance(FullReference):
    """Mean squared distance to the reference; lower is better, and its gradient is 0 on the reference itself."""

    higher_is_better = False
    score_range = (0.0, 1.0)

    def score(self, images: Tensor, references: Tensor) -> Tensor:
        return (images - references).square().mean((1, 2, 3))


def random_images(
    count: int, size: tuple[int, int] = (19, 23), low: int = 64, high: int = 192, seed: int = 0
) -> Tensor:
    """Returns 8-bit images with levels in [low, high), by default so far from 0 and 255 that only eps is a bound."""
    levels = torch.randint(low, high, (count, 3, *size), generator=torch.Generator().manual_seed(seed))
    return levels.float() / 255


def random_weights(size: tuple[int, int] = (19, 23), seed: int = 1) -> Tensor:
    """Returns weights of a linear metric, some of them 0."""
    weights = torch.randn(3, *size, generator=torch.Generator().manual_seed(seed)) / (3 * size[0] * size[1])
    weights[:, 2, 3:6] = 0
    return weights


def rounded(images: Tensor) -> Tensor:
    """Returns the images after rounding to 8 bits, as the pipeline scores them."""
    return (images * 255).round() / 255


def change(attack, metric, images: Tensor, references: Tensor | None = None, niqe: Tensor | None = None) -> Tensor:
    """Returns adversarial minus clear, in float64."""
    names = [str(i) for i in range(len(images))]
    scores = {} if niqe is None else {"niqe": niqe}
    objective = MetricObjective(metric, references, access=attack.access, surrogate_scores=scores)
    return attack(images, objective, ImageNoise(type(attack).__name__, names)).double() - images.double()


def psnr(difference: Tensor) -> Tensor:
    """Returns each image's PSNR in dB."""
    return -10 * difference.square().mean((1, 2, 3)).log10()
