"""A metric with a defence before it, as a module that one calls."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from metric_robustness.metrics.base import Images, Metric, Scores
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.engine.metric.build import build_defences
from metric_robustness.pipeline.engine.metric.defended import DefendedMetric


class DefendedModule(nn.Module):
    """Scores images that a defence has purified.

    The noise of a random defence depends on the defence and an image's place in the batch: the same call gives the same
    scores. Gradients pass as an adaptive attack takes them: straight through a defence that has none. Without gradients
    a smoothing defence gives its certified median, with them the score of one noisy copy.

    Args:
        entry: METRIC+DEFENCE.
        metric: The metric, frozen.
        given: What the user gave for the metric.

    Raises:
        DataError: If the defence cannot be built.
    """

    def __init__(self, entry: Entry, metric: Metric, given: Any) -> None:
        super().__init__()
        assert entry.defence is not None
        self.entry, self.metric = entry, metric
        self.defended_by = entry.name.rpartition("+")[2]  # DEFENCE or DEFENCE-PRESET
        self.defence = build_defences(entry.defence)[entry.preset]
        self.given: Any
        vars(self)["given"] = given  # past PyTorch, so that it is no part of this module: the user's own is not run

    def forward(self, images: Images, references: Images | None = None) -> Scores:
        """Returns the (N,) scores of (N, 3, H, W) float32 images in [0, 1].

        Args:
            images: The images.
            references: Their originals, of the same shape, for a full-reference metric.

        Raises:
            ValueError: If the defence breaks its promises, or a score is not finite.
        """
        names = [str(index) for index in range(len(images))]
        assert self.entry.defence is not None
        defended = DefendedMetric(self.metric, self.entry.defence.name, self.defence, names)
        if torch.is_grad_enabled() and images.requires_grad:
            return defended.unchecked(images, references)
        return defended.purified(images, references).scores
