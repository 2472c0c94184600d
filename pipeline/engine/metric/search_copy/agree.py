"""Whether a copy of a metric, or its compiled passes, agree with it, so that a search may run on them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images, Metric, Scores
from metric_robustness.pipeline.engine.metric.search_copy.fold import foldable, folded
from metric_robustness.pipeline.engine.metric.search_copy.left_behind import copied

MATTERS = 0.01  # of the root mean square: what the gradient of a pixel that matters has at least
TWICE = 2  # how much further from exact passes than the metric's own those that are compiled may be


class Passes(NamedTuple):
    """What a pass forward and one back give."""

    scores: Scores  # (N,)
    gradient: Images  # of the images' shape; empty if no pass went back


class Difference(NamedTuple):
    """How far passes are off others."""

    score: float  # in parts of the range
    signs: float  # of the pixels that matter: the share whose gradient has another sign
    gradient: float  # in parts of its length

    @classmethod
    def of(cls, true: Passes, other: Passes, score_range: tuple[float, float]) -> Difference:
        """Returns how far others are off."""
        score = (true.scores - other.scores).abs().max().item() / (score_range[1] - score_range[0])
        slopes = true.gradient, other.gradient
        return cls(score, _other_signs(*slopes), _distance(*slopes))

    def beyond(self, limits: Difference) -> str:
        """Returns what exceeds its limit; nothing if all is within."""
        if not self.score <= limits.score:  # NaN fails as well
            return f"a score differs by {self.score:.1g} of the range"
        if not self.signs <= limits.signs:
            return f"{1 - self.signs:.2%} of the gradient's signs are the same"
        return "" if self.gradient <= limits.gradient else f"a gradient differs by {self.gradient:.1g} of its length"

    def relaxed(self) -> Difference:
        """Returns the limits for what may be off by more, since this is."""
        return Difference(*(max(limit, TWICE * own) for limit, own in zip(LIMITS, self, strict=True)))


LIMITS = Difference(1e-4, 0.001, 1e-4)


class CopyComparison:
    """A metric beside its copy.

    Where a network has kinks, as ReLU and maxima have, the last digit of single precision decides on which side of one
    a pixel of a feature map lies: two gradients then differ by some thousandths, though neither is nearer to the exact
    one. So a gradient that differs in single precision is compared once more in double precision, where no digit
    decides. Scores and signs are compared as the search sees them.

    Args:
        metric: The metric.
        twin: Its copy.
    """

    def __init__(self, metric: Metric, twin: Metric) -> None:
        self.metric, self.twin = metric, twin

    def disagreement(self, pictures: Iterable[tuple[Images, Images | None]]) -> str:
        """Returns how the copy differs on images, or clips, with their references; nothing if it agrees."""
        compared = False
        for images, references in pictures:
            if reason := self._difference(images, references):
                return reason
            compared = True
        return "" if compared else "no image could be compared"

    @cached_property
    def exact(self) -> tuple[Metric, Metric]:
        """Returns both in double precision, the copy folded anew: rounding of its weights must not count."""
        exact = copied(self.metric).double()
        return exact, folded(exact, foldable(exact))

    def _difference(self, images: Images, references: Images | None) -> str:
        own, other = (passes(each, images, references) for each in (self.metric, self.twin))
        found = Difference.of(own, other, self.metric.score_range)
        if found.gradient > LIMITS.gradient and not found._replace(gradient=0).beyond(LIMITS):
            exact = (passes(each, *_doubled(images, references)) for each in self.exact)
            found = found._replace(gradient=_distance(*(each.gradient for each in exact)))
        return found.beyond(LIMITS)


def compiled_disagreement(
    metric: Metric, compiled: Metric, images: Images, references: Images | None, *, gradient: bool
) -> str:
    """Returns how compiled passes differ from those that the metric's own code takes; nothing if they agree.

    Compiled passes round elsewhere. Where that shows, both are compared with exact ones: in double precision or, where
    PyTorch casts to bfloat16, in single. They may be off by twice as much as the metric's own.

    Args:
        metric: Takes its own passes.
        compiled: Takes compiled ones.
        images: A batch that they are compiled for.
        references: The originals, or None.
        gradient: Whether passes go back, too.
    """
    own, other = (passes(each, images, references, gradient=gradient) for each in (metric, compiled))
    found = Difference.of(own, other, metric.score_range)
    if not found.beyond(LIMITS):
        return ""
    if torch.is_autocast_enabled(images.device.type):
        with torch.autocast(images.device.type, enabled=False):
            exact = passes(metric, images, references, gradient=gradient)
    else:
        exact = passes(copied(metric).double(), *_doubled(images, references), gradient=gradient)
    allowed = Difference.of(exact, own, metric.score_range).relaxed()
    return Difference.of(exact, other, metric.score_range).beyond(allowed)


def passes(metric: Metric, images: Images, references: Images | None, *, gradient: bool = True) -> Passes:
    """Returns the scores of images, and their gradient if it is asked for."""
    with torch.set_grad_enabled(gradient):
        images = images.detach().requires_grad_(gradient)
        scores = metric.unchecked(images, references)
        slope = torch.autograd.grad(scores.sum(), images)[0] if gradient else torch.empty(0, device=scores.device)
        return Passes(scores.detach(), slope)


def _doubled(images: Images, references: Images | None) -> tuple[Images, Images | None]:
    return images.double(), None if references is None else references.double()


def _distance(true: Images, other: Images) -> float:
    """Returns how far a gradient is off, in parts of its length; 0 where both are 0."""
    length, off = true.norm().item(), (true - other).norm().item()
    return float(off / length if length else off)


def _other_signs(true: Tensor, other: Tensor) -> float:
    """Returns the share of the pixels that matter at which two gradients differ in sign; 0 where none matters."""
    matter = true.abs() > MATTERS * true.square().mean().sqrt()
    return (true.sign() != other.sign())[matter].double().mean().item() if matter.any() else 0.0
