"""Whether a copy of a metric agrees with it in score and gradient, so that a search may run on it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images, Metric, Scores
from metric_robustness.pipeline.engine.metric.search_copy.fold import foldable, folded

CLOSE = 1e-4  # how far a score may be off in parts of the range, and a gradient in parts of its length
SIGNS = 0.999  # of the pixels that matter: the share whose gradient must have the same sign
MATTERS = 0.01  # of the root mean square: what the gradient of a pixel that matters has at least


class Passes(NamedTuple):
    """What a pass forward and one back give."""

    scores: Scores  # (N,)
    gradient: Images  # (N, 3, H, W)


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
        """Returns how the copy differs on images with their references; nothing if it agrees."""
        compared = False
        for images, references in pictures:
            if reason := self._difference(images, references):
                return reason
            compared = True
        return "" if compared else "no image could be compared"

    @cached_property
    def exact(self) -> tuple[Metric, Metric]:
        """Returns both in double precision, the copy folded anew: rounding of its weights must not count."""
        exact = copy.deepcopy(self.metric).double()
        return exact, folded(exact, foldable(exact))

    def _difference(self, images: Images, references: Images | None) -> str:
        own, other = (passes(each, images, references) for each in (self.metric, self.twin))
        low, high = self.metric.score_range
        score = (own.scores - other.scores).abs().max().item() / (high - low)
        if not score <= CLOSE:  # NaN fails as well
            return f"a score differs by {score:.1g} of the range"
        if not (same := _same_signs(own.gradient, other.gradient)) >= SIGNS:
            return f"{same:.2%} of the gradient's signs are the same"
        slope = _distance(own.gradient, other.gradient)
        if not slope <= CLOSE:
            doubled = images.double(), None if references is None else references.double()
            slope = _distance(*(passes(each, *doubled).gradient for each in self.exact))
        return "" if slope <= CLOSE else f"a gradient differs by {slope:.1g} of its length"


def passes(metric: Metric, images: Images, references: Images | None) -> Passes:
    """Returns the scores of images, and their gradient."""
    with torch.enable_grad():
        images = images.detach().requires_grad_()
        scores = metric.unchecked(images, references)
        return Passes(scores.detach(), torch.autograd.grad(scores.sum(), images)[0])


def _distance(own: Images, other: Images) -> float:
    """Returns how far a gradient is off, in parts of its length; 0 where both are 0."""
    length, off = own.norm().item(), (own - other).norm().item()
    return float(off / length if length else off)


def _same_signs(own: Tensor, other: Tensor) -> float:
    """Returns the share of the pixels that matter at which two gradients have the same sign; 1 where none matters."""
    matter = own.abs() > MATTERS * own.square().mean().sqrt()
    return ((own.sign() == other.sign())[matter].double().mean().item()) if matter.any() else 1.0
