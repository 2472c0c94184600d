"""The search by Adam that attacks share: ascent on the pixels with given steps, the best rounded iterate kept."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi

import torch

from metric_robustness.attacks.adam_adapter import Ascent
from metric_robustness.attacks.base import Images, Objective, Search
from metric_robustness.attacks.best_adapter import Best


def climb(search: Search, images: Images, objective: Objective, rates: Sequence[float]) -> Images:
    """Returns the best rounded image of an ascent, (N, 3, H, W) within eps; the clear one where no step raised it.

    Args:
        search: Says where the ascent begins, and how far a change may go.
        images: The clear images, (N, 3, H, W) in [0, 1].
        objective: What to raise.
        rates: The length of each step, in parts of eps.
    """
    best, ascent, adversarial = Best(search, images, objective), Ascent(), search.begin(images)
    for rate in rates:
        value, gradient = objective.value_and_gradient(adversarial)
        best.consider(adversarial, value)
        largest = gradient.abs().amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo().tiny)
        adversarial = search.project(adversarial + search.eps * rate * ascent.update(gradient / largest), images)
    best.settle()
    best.offer(adversarial)
    return best.images


def falling(steps: int, first: float, last: float) -> list[float]:
    """Returns the lengths of so many steps, which fall along half a cosine: from `first` towards `last`."""
    return [last + (first - last) * (1 + cos(pi * done / steps)) / 2 for done in range(steps)]
