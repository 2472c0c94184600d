"""The contract of a metric."""

from __future__ import annotations

import math
import random
from functools import cached_property

import numpy as np
import torch

from metric_robustness.metrics.base import Images, Metric, Scores
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.contract.advice import raised
from metric_robustness.pipeline.contract.base import (
    QUIET,
    BrokenPromiseError,
    Checks,
    draws,
    photographs,
    promises,
    require,
    require_quiet,
)
from metric_robustness.pipeline.contract.distortions import LEVELS, distorted, flattened
from metric_robustness.pipeline.contract.faults import parts_in_training, require_scores
from metric_robustness.pipeline.contract.sizes import ANY_SIZE, Sizes
from metric_robustness.pipeline.engine.batching import NO_GRADIENT
from metric_robustness.pipeline.engine.metric.build import build_metric

TOLERANCE = 1e-4  # of the score range: what a batch may change
# A gain is counted in parts of the range. The metrics that we have leave it by less than a tenth on these images; half
# of it beyond an end, a gain reads 1.5 times too large, and where scores fill a hundredth, a hundred times too small.
FAR, NARROW = 0.5, 0.01


class MetricCheck(Checks):
    """The checks of one metric, on photographs."""

    def __init__(self, entry: Entry, device: torch.device) -> None:
        super().__init__()
        self.entry, self.device = entry, device
        self.metric: Metric = build_metric(entry, device)
        low, high = self.metric.score_range
        self.span = high - low
        self.size = max(self.metric.smallest, 128)
        self.images = self.material(self.size, self.size)
        self.distorted = flattened(self.images)  # not equal to the references
        self.scored = Sizes(self.score_size)

    def material(self, height: int, width: int) -> Images:
        """Returns photographs of a size, (3, 3, height, width)."""
        return photographs(height, width).to(self.device)

    def score(self, images: Images, references: Images | None = None) -> Scores:
        """Returns the scores, one image at a time where the metric asks for that; random ones from the same draws."""
        if not self.metric.full_reference:
            references = None
        if not self.metric.batch_dependent or len(images) == 1:
            if self.metric.random:
                seed_all()
            scores: Scores = self.metric(images, references)
            return scores
        alone = [slice(index, index + 1) for index in range(len(images))]
        return torch.cat([self.score(images[i], None if references is None else references[i]) for i in alone])

    def usual(self) -> Scores:
        """Returns the scores of the photographs, distorted a little."""
        with torch.no_grad():
            return self.score(self.distorted, self.images)

    @cached_property
    def ladder_scores(self) -> dict[str, list[Scores]]:
        """Returns the scores of the photographs at each level of each distortion."""
        with torch.no_grad():
            return {
                kind: [self.score(distorted(self.images, kind, level), self.images) for level in levels]
                for kind, levels in LEVELS.items()
            }

    @promises("return one finite score per image")
    def finite(self) -> str:
        """Checks that every image has one finite score."""
        count = 1 if self.metric.batch_dependent else len(self.images)
        given = self.distorted[:count].clone()
        references = self.images[:count].clone() if self.metric.full_reference else None
        try:
            found: object = self.metric._scores(given, references)  # forward would say less of what is wrong with it
        except Exception as error:
            if side := self.scored.larger(self.size):
                raise BrokenPromiseError(
                    f"{raised(error)} at {self.size}x{self.size}; it needs {side} pixels: write smallest = {side}"
                ) from error
            raise
        require_scores(found, count)
        scores = self.score(self.distorted.clone(), self.images.clone())
        require(bool(scores.isfinite().all()), f"got {scores.tolist()}: return finite scores")
        return ", ".join(f"{score:.4g}" for score in scores.tolist())

    @promises("leave its input untouched", finite)
    def untouched(self) -> str:
        """Checks that the input stays as it was."""
        images, references = self.distorted.clone(), self.images.clone()
        self.score(images, references)
        same = torch.equal(images, self.distorted) and torch.equal(references, self.images)
        require(
            same, "it writes into the images it was given: begin with images = images.clone(), or write images * 255"
        )
        return "unchanged"

    @promises(QUIET, finite)
    def quiet(self) -> str:
        """Checks that building the metric and scoring change nothing that other entries share."""
        return require_quiet(self.watch, "as it is built or scores,", self.usual)

    @promises("be deterministic", finite, untouched, quiet)
    def deterministic(self) -> str:
        """Checks that a second call returns the same bits, and draws nothing that others draw."""
        if self.metric.random:
            return "declared random = True"
        first = self.usual()
        second, drawn = draws(self.usual)
        differ = "" if torch.equal(first, second) else f"scores differ by {(first - second).abs().max().item():.2g}"
        seen = differ or (f"it seeds or draws from {', '.join(drawn)}" if drawn else "")
        require(
            not seen,
            f"{seen}{self.in_training()}draw nothing at random (dropout functions need training=False), or from a "
            "torch.Generator of its own, or write random = True",
        )
        return "equal bits"

    def in_training(self) -> str:
        """Returns how a message goes on to what is to be changed: past the parts in train mode, if there are any."""
        if not (parts := parts_in_training(self.metric)):
            return ": "
        return f"; {', '.join(parts)} in train mode: never call train(), keep networks as attributes or in ModuleList, "

    ROOT = (finite, untouched, quiet, deterministic)  # without which nothing else can be judged

    @promises("tell photographs from distorted ones", *ROOT)
    def tells_apart(self) -> str:
        """Checks that blur, noise and JPEG change the score at all, and leave it finite."""
        low, high = self.seen
        require(
            low < high,
            f"each has the score {low:.4g}: use the images, and multiply them by 255 if it is written for 8-bit values",
        )
        return f"{low:.4g} to {high:.4g}"

    @cached_property
    def seen(self) -> tuple[float, float]:
        """Returns the least and the largest score of the photographs, distorted and not."""
        scores = torch.cat([self.usual(), *(each for level in self.ladder_scores.values() for each in level)])
        require(bool(scores.isfinite().all()), "a blurred, noisy or JPEG image has none: return finite scores")
        return scores.min().item(), scores.max().item()

    @promises("score photographs within its score_range, or close to it", *ROOT, tells_apart)
    def ranged(self) -> str:
        """Checks that scores of photographs fill the declared range, or leave it by a little only."""
        low, high = self.seen
        least, most = self.metric.score_range
        beyond, filled = max(least - low, high - most) / self.span, (high - low) / self.span
        where = f"{low:.4g} to {high:.4g}"
        remedy = "write score_range = ({}, {})".format(*outward(low, high))
        require(beyond <= FAR, f"scores go from {where}, far outside the declared {least:g} to {most:g}: {remedy}")
        require(
            filled >= NARROW,
            f"scores go from {where}, {filled:.1%} of the declared {least:g} to {most:g}: {remedy}, or multiply the "
            "images by 255 if it is written for 8-bit values",
        )
        return f"{where} of {least:g} to {most:g}"

    @promises("give the same score alone, in a batch and in another order", *ROOT)
    def independent(self) -> str:
        """Checks that an image has the same score alone, in a batch and in another order."""
        if self.metric.random:
            return "declared random = True"
        together = self.score(self.distorted, self.images)
        turned = self.score(self.distorted.flip(0), self.images.flip(0)).flip(0)
        alone = torch.cat([self.score(self.distorted[i : i + 1], self.images[i : i + 1]) for i in range(len(together))])
        off = max((together - alone).abs().max().item(), (together - turned).abs().max().item()) / self.span
        require(
            off <= TOLERANCE,
            f"scores differ by {off:.2g} of the range{self.in_training()}take no statistics over the batch, or write "
            "batch_dependent = True",
        )
        return f"differs by {off:.1g} of the range"

    @promises("pass a finite, non-zero gradient to the images", *ROOT, tells_apart)
    def gradient(self) -> str:
        """Checks that a finite gradient that is not zero reaches the images."""
        if not self.metric.differentiable:
            return "declared differentiable = False"
        _, slope = self.rise
        require(bool(slope.isfinite().all()), "not finite: guard square roots, logarithms and divisions against zero")
        sizes = slope.abs().flatten(1).amax(dim=1)
        require(
            bool((sizes > 0).all()),
            "zero everywhere: write differentiable = False, or replace rounding, clipping and comparisons",
        )
        return f"largest {sizes.max().item() / self.span:.2g} of the range"

    @cached_property
    def rise(self) -> tuple[Scores, Images]:
        """Returns the scores of the photographs, distorted a little, and their gradient."""
        images = self.distorted.clone().requires_grad_()
        scores = self.score(images, self.images)
        require(scores.requires_grad, f"no gradient reaches the images: {NO_GRADIENT}")
        (slope,) = torch.autograd.grad(scores.sum(), images, allow_unused=True)
        require(slope is not None, f"no gradient reaches the images: {NO_GRADIENT}")
        return scores.detach(), slope

    @promises("rise along its gradient", *ROOT, tells_apart, gradient)
    def climbs(self) -> str:
        """Checks that a small step along the gradient raises the score: a wrong gradient would not."""
        if not self.metric.differentiable:
            return "declared differentiable = False"
        (scores, slope), gains = self.rise, []
        for step in (1 / 255, 1 / 1020):
            with torch.no_grad():
                stepped = self.score((self.distorted + step * slope.sign()).clamp(0, 1), self.images)
            gains.append((stepped - scores).mean().item() / self.span)
        require(
            max(gains) > 0,
            f"the score moves by {max(gains):.2g} of the range, since part of the gradient is missing: detach nothing "
            "between images and score, or write differentiable = False",
        )
        return f"raises it by {max(gains):.2g} of the range"

    @promises("stay finite on a flat image", *ROOT, tells_apart, gradient)
    def flat(self) -> str:
        """Checks that score and gradient of a flat grey image are finite: such images occur."""
        images = torch.full_like(self.images[:1], 128 / 255).requires_grad_(self.metric.differentiable)
        scores = self.score(images, self.images[:1])
        require(bool(scores.isfinite().all()), f"the score is {scores.item()}: guard against zero variance")
        if self.metric.differentiable:
            (slope,) = torch.autograd.grad(scores.sum(), images, allow_unused=True)
            require(
                slope is not None and bool(slope.isfinite().all()),
                "the gradient is not finite: add a small number below the root, in the logarithm or to the divisor",
            )
        return f"score {scores.item():.4g}"

    @promises("accept odd sizes from its smallest on", *ROOT)
    def sizes(self) -> str:
        """Checks that odd sizes are scored, and the smallest that the metric declares."""
        least = self.metric.smallest
        if fault := self.scored.fault(least):
            raise BrokenPromiseError(self.scored.remedy(least, fault, self.size))
        height, width = self.size | 1, self.size + 18
        if fault := self.scored.fault_at(height, width):
            raise BrokenPromiseError(f"{fault} at {height}x{width}: {ANY_SIZE}")
        return f"from {least}x{least}"

    def score_size(self, height: int, width: int) -> Scores:
        """Returns the scores of photographs of a size."""
        images = self.material(height, width)
        with torch.no_grad():
            return self.score(flattened(images), images)

    @promises("refuse images outside [0, 1]", *ROOT)
    def refuses(self) -> str:
        """Checks that values in [0, 255] raise an error, since they would give a wrong score unnoticed."""
        try:
            self.metric(self.images * 255, self.images)
        except ValueError as error:
            return str(error)
        require(False, "it accepts them: do not override `forward`, write `score`")
        return ""

    @promises("move the declared way with blur, noise and JPEG", *ROOT, tells_apart)
    def ladder(self) -> str:
        """Checks that ever stronger blur, noise and JPEG move the score the declared way."""
        sign = 1 if self.metric.higher_is_better else -1
        falls = {
            kind: sign * (scores[0] - scores[-1]).mean().item() / self.span
            for kind, scores in self.ladder_scores.items()
        }
        shown = f"quality falls by {', '.join(f'{kind} {fall:+.2f}' for kind, fall in falls.items())} of the range"
        if 2 * sum(fall > 0 for fall in falls.values()) > len(falls):
            return shown
        turned = 2 * sum(fall < 0 for fall in falls.values()) > len(falls)
        remedy = f"write higher_is_better = {not self.metric.higher_is_better}"
        require(False, f"{shown}: {remedy if turned else 'score two of the three as worse, as observers do'}")
        return ""


def seed_all() -> None:
    """Seeds the random states that all share, so that a random metric is compared on the same draws."""
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)


def outward(low: float, high: float) -> tuple[float, float]:
    """Returns a range with two digits of its width, and its ends not within the scores."""
    digits = 1 - math.floor(math.log10(high - low)) if high > low else 0
    step = 10.0**-digits
    return round(math.floor(low / step) * step, digits), round(math.ceil(high / step) * step, digits)
