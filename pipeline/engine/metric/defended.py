"""A defence before a metric, on one batch of images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from defences.base import Defence, Smoothing
from metrics.base import Images, Metric, Scores
from pipeline.engine.measures.distances import measures
from pipeline.engine.metric.objective import ImageNoise
from pipeline.engine.metric.smoothing import Certificate, MedianSmoothing

DRAWS = 8  # over which an adaptive attack averages a random defence


class Seen(NamedTuple):
    """What a metric sees of images through a defence."""

    purified: Images
    scores: Scores
    seconds: float  # that the purification of the batch took, without the metric's time; smoothing is all the metric's
    certificate: Certificate | None  # of a defence that smooths: what is known of the scores nearby


@dataclass(frozen=True)
class Guard:
    """A defence with the noise of a batch's images.

    Attributes:
        name: The defence's name, with which its noise is seeded.
        defence: The defence.
        images: The names of the batch's images.
    """

    name: str
    defence: Defence
    images: Sequence[str]

    @property
    def noise(self) -> ImageNoise:
        """Returns the noise from its beginning: the same draws each time."""
        return ImageNoise(self.name, list(self.images))

    @property
    def draws(self) -> int:
        """Returns over how many draws an adaptive attack averages."""
        return DRAWS if self.defence.random else 1

    def behind(self, metric: Metric) -> DefendedMetric:
        """Returns the metric that looks through the defence, the draws of which go on from query to query."""
        return DefendedMetric(metric, self, self.noise)

    @torch.no_grad()
    def seen(self, metric: Metric, images: Images, references: Images | None) -> Seen:
        """Returns what the metric sees of images; always the same draws.

        Raises:
            ValueError: If the defence breaks its promises, or a score is not finite.
        """
        start = _clock(images.device)
        purified = self.defence(images, self.noise)
        seconds = _clock(images.device) - start
        certificate = self._certified(metric, images, references)
        if certificate:
            scores, seconds = certificate.median, _clock(images.device) - start
        else:
            scores = metric(purified, self.references(references))
        if not scores.isfinite().all():
            raise ValueError(f"its score behind {self.name} is not finite")
        return Seen(purified, scores, seconds, certificate)

    @torch.no_grad()
    def distances(self, purified: Images, clear: Images) -> dict[str, Scores]:
        """Returns PSNR, SSIM and more of purified images against the clear ones, as far as both show the same."""
        return measures(*self.defence.align(purified, clear, self.noise))

    def _certified(self, metric: Metric, images: Images, references: Images | None) -> Certificate | None:
        """Returns what a defence that smooths knows of the scores; None of any other."""
        if not isinstance(self.defence, Smoothing):
            return None
        smoothing = MedianSmoothing(self.defence.sigma, self.defence.samples, self.defence.error)
        scores = smoothing.scores(lambda copies: metric(copies, references), images, self.noise)
        return smoothing.certify(scores, self.defence.radius)

    @torch.no_grad()
    def warm_up(self, images: Images) -> None:
        """Purifies one image for nothing: the first time, libraries set themselves up, and no time that is told."""
        self.defence(images[:1], Guard(self.name, self.defence, self.images[:1]).noise)

    def references(self, references: Images | None) -> Images | None:
        """Returns the originals as a full-reference metric needs them: turned and cut like the images beside them."""
        if references is None or self.defence.keeps_geometry:
            return references
        return self.defence(references, self.noise)


def _clock(device: torch.device) -> float:
    """Returns seconds, once everything that was begun on the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class DefendedMetric:
    """A metric behind a defence, for the search of an adaptive attack: `pipeline.engine.metric.objective.Scorer`.

    Where the defence has no gradient the attack goes straight through it, as if it changed nothing (BPDA; Athalye,
    Carlini & Wagner, ICML 2018). A random defence draws anew at each query, and the objective averages.
    """

    def __init__(self, metric: Metric, guard: Guard, noise: ImageNoise) -> None:
        self.metric, self.guard, self.noise = metric, guard, noise
        self.higher_is_better, self.score_range = metric.higher_is_better, metric.score_range

    def unchecked(self, images: Images, references: Images | None = None) -> Scores:
        """Returns the (N,) scores of the purified images."""
        purify = self.guard.defence.purify
        if self.guard.defence.differentiable or not torch.is_grad_enabled():
            purified = purify(images, self.noise)
        else:
            purified = images + (purify(images.detach(), self.noise) - images).detach()
        return self.metric.unchecked(purified, self.guard.references(references))
