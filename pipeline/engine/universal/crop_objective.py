"""The objective of training crops, in parts that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from metric_robustness.metrics.base import Images, Metric, Scores
from metric_robustness.pipeline.engine.batching import out_of_memory
from metric_robustness.pipeline.engine.metric.defended import DefendedMetric
from metric_robustness.pipeline.engine.metric.objective import MetricObjective


class CropObjective:
    """Implements `metric_robustness.attacks.base.Objective` over a batch of crops.

    Args:
        metric: The metric.
        references: The undistorted crops, for a full-reference metric.
        dtype: Of the metric's passes.
        most: How many crops make a part; halved when they turn out to be too many.
        defended: The defended metric for these crops; None for a bare metric.

    Attributes:
        values: The objective of each crop where the last gradient was taken.
    """

    def __init__(
        self,
        metric: Metric,
        references: Images | None,
        dtype: torch.dtype,
        most: int,
        defended: DefendedMetric | None = None,
    ) -> None:
        self.metric, self.references, self.dtype, self.most, self.defended = metric, references, dtype, most, defended
        self.values: Scores = torch.empty(0)

    def __call__(self, images: Images) -> Scores:
        """Returns the objective of each crop."""
        return torch.cat([objective(part) for objective, part in self._parts(images)])

    def gradient(self, images: Images) -> Images:
        """Returns the gradient of each crop's own objective."""
        return self.value_and_gradient(images)[1]

    def value_and_gradient(self, images: Images) -> tuple[Scores, Images]:
        """Returns the objective of each crop with its own gradient."""
        try:
            found = [objective.value_and_gradient(part) for objective, part in self._parts(images)]
        except Exception as error:
            if not out_of_memory(error) or self.most == 1:
                raise
        else:
            values, gradients = map(torch.cat, zip(*found, strict=True))
            self.values = values
            return values, gradients
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.most = -(-self.most // 2)
        return self.value_and_gradient(images)

    def clear_score(self, metric: str) -> Scores:
        """Raises KeyError: a fit knows no other metric."""
        raise KeyError(f"the attack asked for the clear score by {metric!r}: a fit has none")

    def closeness(self, metric: str) -> MetricObjective:
        """Raises KeyError: a fit knows no other metric."""
        raise KeyError(f"the attack asked how close images are by {metric!r}: a fit has no clear images")

    def _parts(self, images: Images) -> Iterator[tuple[MetricObjective, Images]]:
        for start in range(0, len(images), self.most):
            part = slice(start, start + self.most)
            references = None if self.references is None else self.references[part]
            defended = self.defended.part(part) if self.defended else None
            draws = defended.draws if defended else 1
            yield MetricObjective(defended or self.metric, references, draws=draws, dtype=self.dtype), images[part]
