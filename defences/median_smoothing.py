"""Median smoothing: the median of the scores of noisy copies, with an interval that no small change leaves.

Chiang, Curry, Abdelkader, Kumar, Dickerson, Goldstein. Detection as regression: certified object detection by median
smoothing. NeurIPS, 2020. https://arxiv.org/abs/2007.03730
"""

from dataclasses import dataclass

from metric_robustness.defences.base import Smoothing


@dataclass(frozen=True)
class MedianSmoothing(Smoothing):
    cost = "heavy"  # a score takes as many passes of the metric as there are copies
    presets = {"n100": {"samples": 100}}
    verified = "the certificate on analytic metrics: no change within the radius left the interval"
