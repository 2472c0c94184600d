"""The best iterate of a search, judged as it will be scored: rounded to 8 bits."""

from __future__ import annotations

import torch

from metric_robustness.attacks.base import Attack, Images, Objective, Scores, per_image

TOGETHER = 10  # iterates of which one is rounded and judged: a query for each would cost a third of a gradient more


class Best:
    """The rounded iterate of each image that has the highest objective so far; first the clear image itself.

    A change that rounding destroys is no attack, and the last iterate of a search may have overshot.

    Args:
        attack: Says how far a change may go.
        images: The clear images, (N, 3, H, W).
        objective: What the search raises; this asks it once.
    """

    def __init__(self, attack: Attack, images: Images, objective: Objective) -> None:
        self.attack, self.clear, self.objective = attack, images, objective
        self.images: Images = images
        self.values: Scores = objective(images)
        self.candidate, self.promise, self.seen = self.images, self.values, 0

    def consider(self, adversarial: Images, values: Scores) -> None:
        """Judges of every ten iterates the one that was best before rounding.

        Args:
            adversarial: An iterate, (N, 3, H, W).
            values: Its objective, (N,), which a gradient there brings along.
        """
        better = values > self.promise
        self.candidate = adversarial.where(per_image(better), self.candidate)
        self.promise = values.where(better, self.promise)
        self.seen += 1
        if self.seen == TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Judges the best of the iterates since the last judgement; a search ends with it."""
        if self.seen:
            self.offer(self.candidate)
            self.promise, self.seen = torch.full_like(self.promise, -torch.inf), 0

    def offer(self, adversarial: Images) -> None:
        """Keeps of an iterate, (N, 3, H, W), those images that raise the objective further; costs a query."""
        rounded = self.attack.rounded(adversarial, self.clear)
        values = self.objective(rounded)
        better = values > self.values  # never where it is NaN
        self.images = rounded.where(per_image(better), self.images)
        self.values = values.where(better, self.values)
