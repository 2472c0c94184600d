"""Surrogates: the further metrics that an attack names in `needs`, and asks besides its objective."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from metric_robustness.metrics.base import Metric, Scores
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import Dataset, Photo
from metric_robustness.pipeline.engine.metric.runner import MetricRunner


@dataclass(frozen=True)
class Surrogates:
    """The surrogates of an attack on the images of a data set.

    Attributes:
        scores: By a metric of one image: its scores of the clear images, (N,), in file order.
        full_reference: The full-reference metrics, which are asked how close an image is to the clear one.
        excluded: Why an image has no such score.
        positions: Where an image stands in the scores.
    """

    scores: Mapping[str, Scores] = field(default_factory=dict)
    full_reference: Mapping[str, Metric] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)
    positions: Mapping[str, int] = field(default_factory=dict)

    def of(self, photos: Iterable[Photo]) -> Surrogates:
        """Returns the surrogates for some of the images."""
        index = [self.positions[photo.name] for photo in photos] if self.scores else []
        return Surrogates({name: scores[index] for name, scores in self.scores.items()}, self.full_reference)


def surrogates_of(
    runner: MetricRunner, needed: Iterable[Entry], dataset: Dataset, distortion: Distortion
) -> Surrogates:
    """Returns the surrogates that an attack needs.

    Args:
        runner: The metric that is attacked.
        needed: The metrics that the attack names.
        dataset: The images.
        distortion: Of the images.
    """
    scores: dict[str, Scores] = {}
    excluded: dict[str, str] = {}
    full_reference: dict[str, Metric] = {}
    for entry in needed:
        if entry.kind == "FR":
            full_reference[entry.name] = runner.surrogate(entry).metric
            continue
        found = runner.surrogate(entry).clear(dataset, distortion)
        scores[entry.name] = found.scores.to(runner.device)
        excluded |= {image: f"{entry.name}, which the attack needs: {why}" for image, why in found.excluded.items()}
    positions = {photo.name: index for index, photo in enumerate(dataset.photos)}
    return Surrogates(scores, full_reference, excluded, positions)
