"""The defended metric: a metric with a defence before it, on one batch of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from metric_robustness.defences.base import Defence, Ensemble, Smoothing
from metric_robustness.metrics.base import Images, Metric, Scores
from metric_robustness.pipeline.engine.device import finished_at
from metric_robustness.pipeline.engine.measures.distances import measures
from metric_robustness.pipeline.engine.metric.objective import ImageNoise
from metric_robustness.pipeline.engine.metric.smoothing import Certificate, CertifiedMedian

DRAWS = 8  # over which an adaptive attack averages a random defence


class Purified(NamedTuple):
    """The purified images, and the metric's scores of them."""

    images: Images  # after the defence
    scores: Scores
    seconds: float  # that the defence took for the batch; of copies, what scoring them took counts, too
    certificate: Certificate | None  # of a smoothing defence: what is known of the scores nearby


class DefendedMetric:
    """A metric that looks at a batch of images through a defence: the scorer of an adaptive attack's search.

    Where the defence has no gradient, the attack goes straight through it, as if it changed nothing (BPDA; Athalye,
    Carlini & Wagner, ICML 2018). A random defence draws anew at each gradient, and the objective averages the draws;
    queries for scores alone, which a search compares, are `judging`.

    Args:
        metric: The metric.
        name: The defence's name, which seeds its noise.
        defence: The defence.
        images: The names of the batch's images, which seed it, too.
    """

    def __init__(self, metric: Metric, name: str, defence: Defence, images: Sequence[str]) -> None:
        self.metric, self.name, self.defence, self.images = metric, name, defence, list(images)
        self.higher_is_better, self.score_range = metric.higher_is_better, metric.score_range
        self.search_noise = self.noise  # goes on from query to query

    @property
    def noise(self) -> ImageNoise:
        """Returns the noise from its beginning: the same draws each time."""
        return ImageNoise(self.name, self.images)

    @property
    def draws(self) -> int:
        """Returns over how many draws an adaptive attack averages."""
        return DRAWS if self.defence.random else 1

    def judging(self) -> DefendedMetric:
        """Returns the same with draws that begin at one place, apart from those of gradients and of final scores."""
        return DefendedMetric(self.metric, f"{self.name} in a query", self.defence, self.images)

    def part(self, part: slice) -> DefendedMetric:
        """Returns the same for some of the images."""
        return DefendedMetric(self.metric, self.name, self.defence, self.images[part])

    def unchecked(self, images: Images, references: Images | None = None) -> Scores:
        """Returns the (N,) scores of the purified images, with a gradient and the next draws of the noise."""
        return self.metric.unchecked(*self.shown(images, references))

    def shown(self, images: Images, references: Images | None) -> tuple[Images, Images | None]:
        """Returns what the metric is shown in a search: images purified with the next draws, and their references."""
        purify, noise = self.defence.purify, self.search_noise.copy()
        if self.defence.differentiable or not torch.is_grad_enabled():
            purified = purify(images, self.search_noise)
        else:
            purified = images + (purify(images.detach(), self.search_noise) - images).detach()
        return purified, self._references(references, noise)

    @torch.no_grad()
    def purified(self, images: Images, references: Images | None) -> Purified:
        """Purifies and scores images, always with the same draws.

        Raises:
            ValueError: If the defence breaks its promises, or a score is not finite.
        """
        start = finished_at(images.device)
        noise = self.noise
        purified = self.defence(images, noise)
        seconds = finished_at(images.device) - start
        certificate = self._certificate(images, references)
        if certificate:
            scores, seconds = certificate.median, finished_at(images.device) - start
        else:
            scores = self.metric(purified, self._references(references, self.noise))
            if isinstance(self.defence, Ensemble):
                scores = self._mean(scores, self.defence.samples, images, references, noise)
                seconds = finished_at(images.device) - start
        if not scores.isfinite().all():
            raise ValueError(f"its score behind {self.name} is not finite")
        return Purified(purified, scores, seconds, certificate)

    @torch.no_grad()
    def measures(self, purified: Images, clear: Images) -> dict[str, Scores]:
        """Returns PSNR, SSIM and more of purified images against the clear ones, as far as both show the same."""
        return measures(*self.defence.align(purified, clear, self.noise))

    @torch.no_grad()
    def warm_up(self, images: Images) -> None:
        """Purifies one image without measuring it: libraries set themselves up at the first one."""
        self.defence(images[:1], ImageNoise(self.name, self.images[:1]))

    def _certificate(self, images: Images, references: Images | None) -> Certificate | None:
        """Returns what a smoothing defence knows of the scores; None for any other."""
        if not isinstance(self.defence, Smoothing):
            return None
        seen = self.defence.seen
        smoothing = CertifiedMedian(self.defence.sigma, self.defence.samples, self.defence.error)
        scores = smoothing.scores(lambda copies: self.metric(seen(copies), references), images, self.noise)
        return smoothing.certify(scores, self.defence.radius)

    def _mean(
        self, first: Scores, samples: int, images: Images, references: Images | None, noise: ImageNoise
    ) -> Scores:
        """Returns the mean score of so many random copies.

        Args:
            first: The scores of the first copy.
            samples: How many copies there are.
            images: The images.
            references: Their originals, or None.
            noise: As the first copy left it.
        """
        scores = [first]
        for _ in range(1, samples):
            before = noise.copy()
            copies = self.defence(images, noise)
            scores.append(self.metric(copies, self._references(references, before)))
        return torch.stack(scores).mean(dim=0)

    def _references(self, references: Images | None, noise: ImageNoise) -> Images | None:
        """Returns the originals as a full-reference metric needs them: turned and cut like the purified images.

        Args:
            references: The originals.
            noise: What the images beside them were purified with.
        """
        if references is None or self.defence.keeps_geometry:
            return references
        return self.defence(references, noise)
