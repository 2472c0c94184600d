"""Median smoothing: the median score of noisy copies, and an interval that no small change of the image leaves.

Chiang, Curry, Abdelkader, Kumar, Dickerson, Goldstein. Detection as regression: certified object detection by median
smoothing. NeurIPS, 2020. https://arxiv.org/abs/2007.03730
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy import special
from torch import Tensor

from metric_robustness.defences.base import DefenceNoise
from metric_robustness.metrics.base import Images, Scores


class Certificate(NamedTuple):
    """What is known of the smoothed scores of a batch; each is (N,)."""

    median: Scores  # of the noisy copies' scores
    lowest: Scores  # no change within the radius takes the smoothed score below; -inf: nothing is known
    highest: Scores  # nor above; inf: nothing is known
    radius: Tensor  # of the l2 ball, of pixels in [0, 1]


@dataclass(frozen=True)
class CertifiedMedian:
    """Smooths any metric by its median over Gaussian noise.

    The certificate is about the median over all noise, of which that over the copies is an estimate. It holds for any
    function of the noisy image, so that clipping the copies to [0, 1] before they are scored takes nothing from it.
    """

    sigma: float = 0.12  # of the noise
    samples: int = 1000  # noisy copies of each image
    error: float = 0.001  # the probability that a bound is wrong, of each of the two

    def scores(self, score: Callable[[Images], Scores], images: Images, noise: DefenceNoise) -> Tensor:
        """Returns the scores of the noisy copies, (N, samples), in ascending order.

        Args:
            score: (N, 3, H, W) images to (N,) scores.
            images: (N, 3, H, W) in [0, 1].
            noise: The only source of randomness.
        """
        copies = [score((images + self.sigma * noise.normal(images)).clamp(0, 1)) for _ in range(self.samples)]
        return torch.stack(copies, dim=1).sort(dim=1).values

    def certify(self, scores: Tensor, radius: float) -> Certificate:
        """Returns the smoothed scores with the interval that holds for every change of at most `radius`.

        With Phi the normal distribution function, the median after such a change lies between the quantiles
        Phi(-radius / sigma) and Phi(radius / sigma) of the scores before it (theorem 2 of the paper); order statistics
        of the samples bound these quantiles (its section 4.1).

        Args:
            scores: What `scores` returned.
            radius: The l2 norm of the change, of pixels in [0, 1]; not negative.
        """
        rank = self.rank(radius)
        known = rank <= self.samples
        unknown = torch.full_like(scores[:, 0], math.inf)
        return Certificate(
            median=scores.quantile(0.5, dim=1),
            lowest=scores[:, self.samples - rank] if known else -unknown,
            highest=scores[:, rank - 1] if known else unknown,
            radius=torch.full_like(unknown, radius),
        )

    def rank(self, radius: float) -> int:
        """Returns which of the ascending samples, counted from 1, bounds the quantile from above; n + 1 if none does.

        The k-th lies above the quantile q unless k or more of the samples lie below it, and that many are binomial.
        """
        fewer = special.bdtr(np.arange(self.samples + 1), self.samples, special.ndtr(radius / self.sigma))
        return int(np.searchsorted(fewer, 1 - self.error)) + 1

    def largest_radius(self) -> float:
        """Returns the radius beyond which the samples are too few to bound anything."""
        return float(self.sigma * special.ndtri(self.error ** (1 / self.samples)))


def l2_norm(attacked: Images, clear: Images) -> Tensor:
    """Returns the l2 norm of each image's change, (N,), of pixels in [0, 1]: what a radius is to be compared with."""
    norms: Tensor = torch.linalg.vector_norm(attacked - clear, dim=(1, 2, 3))
    return norms
