"""The number an attack raises: how far a metric has been fooled, as a fraction of its range."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.amp import is_autocast_available

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.pipeline.engine.metric.first_gradients import FirstGradient, ValuesAndGradient


class Scorer(Protocol):
    """Gives the scores: a metric, a defended metric, or a clip's score as a function of some of its frames."""

    @property
    def higher_is_better(self) -> bool:
        """Tells whether a higher score is a better one."""

    @property
    def score_range(self) -> tuple[float, float]:
        """Returns the scores of ordinary images, lowest and highest."""

    def unchecked(self, images: Images, references: Images | None = None) -> Scores:
        """Returns the (N,) scores of (N, 3, H, W) images."""


@runtime_checkable
class Redrawing(Scorer, Protocol):
    """A scorer that draws at random, anew each time that it is asked."""

    def judging(self) -> Scorer:
        """Returns the same scorer, whose draws always begin at one place, apart from those of gradients and scores."""


class MetricObjective:
    """Implements `metric_robustness.attacks.base.Objective` over a metric, and counts what the attack spends.

    The objective is score / range, with the sign turned for a metric where lower is better: J = 1 - score/range of the
    base benchmark, minimised. The range is the declared one, so that an attack never depends on earlier results.
    """

    def __init__(
        self,
        metric: Scorer,
        references: Images | None = None,
        *,
        access: str = "white",
        draws: int = 1,
        dtype: torch.dtype = torch.float32,
        surrogate_scores: Mapping[str, Scores] | None = None,
        surrogates: Mapping[str, MetricObjective] | None = None,
    ) -> None:
        low, high = metric.score_range
        self.scale = (1 if metric.higher_is_better else -1) / (high - low)
        self.metric, self.references, self.access, self.dtype = metric, references, access, dtype
        self.draws = draws  # over which each query averages: more than 1 for a random defence
        self.surrogate_scores, self.surrogates = surrogate_scores or {}, surrogates or {}
        self.first: FirstGradient | None = None  # for the first gradient, which other attacks may have asked for, too
        self.queries = self.gradients = 0  # per image
        self.zero: Tensor | bool = False  # (N,): some gradient of the image was zero: it has no direction
        self.broken: Tensor | bool = False  # (N,): some gradient of the image was not finite

    def __call__(self, images: Images) -> Scores:
        """Returns the objective of each image.

        Where a defence draws at random, all queries of a search have the same draws. A search compares its queries, and
        of a thousand with draws of their own it would keep the luckiest.
        """
        self.queries += self.draws
        scorer = self.metric.judging() if isinstance(self.metric, Redrawing) else self.metric
        with torch.no_grad():
            return _mean([self._value(images, scorer) for _ in range(self.draws)])

    def gradient(self, images: Images) -> Images:
        """Returns the gradients of `value_and_gradient`."""
        return self.value_and_gradient(images)[1]

    def value_and_gradient(self, images: Images) -> tuple[Scores, Images]:
        """Returns the objective of each image with its own gradient, by one backward pass of their sum.

        Raises:
            PermissionError: If the attack declared itself black-box.
        """
        if self.access != "white":
            raise PermissionError('a black-box attack asked for a gradient: declare access = "white"')
        self.queries += self.draws
        self.gradients += self.draws
        first, self.first = self.first, None
        values, gradient = first.found(images, self._passes) if first else self._passes(images)
        # Both return NaN where there is one, are many times faster here than a norm or `aminmax`, and copy nothing.
        low, high = gradient.amin(dim=(1, 2, 3)), gradient.amax(dim=(1, 2, 3))
        self.zero = self.zero | ((low == 0) & (high == 0))
        self.broken = self.broken | ~(low.isfinite() & high.isfinite())
        return values, gradient

    def flaws(self, index: int) -> list[str]:
        """Returns what was wrong with the gradients of an image; complete only once the attack is over."""
        found = {"zero gradient": self.zero, "gradient not finite": self.broken}
        return [name for name, images in found.items() if not isinstance(images, bool) and images[index]]

    def clear_score(self, metric: str) -> Scores:
        """Returns the clear images' own scores by a metric the attack named in `needs`.

        Raises:
            KeyError: If it did not name it.
        """
        if metric not in self.surrogate_scores:
            raise KeyError(f"the attack asked for the clear score by {metric!r}: name it in `needs`")
        return self.surrogate_scores[metric]

    def closeness(self, metric: str) -> MetricObjective:
        """Returns how close images are to the clear ones, by a full-reference metric the attack named in `needs`.

        Raises:
            KeyError: If it did not name it.
        """
        if metric not in self.surrogates:
            raise KeyError(f"the attack asked how close images are by {metric!r}: name it in `needs`")
        return self.surrogates[metric]

    def _passes(self, images: Images) -> ValuesAndGradient:
        with torch.enable_grad():
            images = images.detach().requires_grad_()
            values, slopes = [], []
            for _ in range(self.draws):
                value = self._value(images, self.metric)
                slopes.append(torch.autograd.grad(value.sum(), images)[0])
                values.append(value.detach())
        gradient = _mean(slopes)
        if 0 in gradient.stride():  # the gradient of a plain sum is one number repeated, which no attack can write into
            gradient = gradient.contiguous()
        return ValuesAndGradient(_mean(values), gradient)

    def _value(self, images: Images, scorer: Scorer) -> Scores:
        kind, lower = images.device.type, self.dtype == torch.bfloat16  # False, too: a notebook may have asked for it
        with torch.autocast(kind, torch.bfloat16, enabled=lower) if is_autocast_available(kind) else nullcontext():
            return self.scale * scorer.unchecked(images, self.references)


def _mean(draws: list[Tensor]) -> Tensor:
    """Returns the mean of the draws; of one, itself."""
    return draws[0] if len(draws) == 1 else torch.stack(draws).mean(dim=0)


class ImageNoise:
    """Implements `attacks.base.Noise`: one CPU generator per image, seeded by the attack's and the image's names."""

    def __init__(self, attack: str, images: list[str]) -> None:
        self.generators = [torch.Generator().manual_seed(seed(f"{attack}\n{image}")) for image in images]

    def copy(self) -> ImageNoise:
        """Returns noise that goes on as this one will."""
        again = ImageNoise("", [])
        again.generators = [torch.Generator().set_state(each.get_state()) for each in self.generators]
        return again

    def uniform(self, like: Images) -> Images:
        """Returns samples from [-1, 1)."""
        return torch.stack([torch.rand(like.shape[1:], generator=g) for g in self.generators]).mul(2).sub(1).to(like)

    def normal(self, like: Images) -> Images:
        """Returns samples from N(0, 1)."""
        return torch.stack([torch.randn(like.shape[1:], generator=g) for g in self.generators]).to(like)


def seed(name: str) -> int:
    """Returns a seed that is the same on every machine and in every run."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
