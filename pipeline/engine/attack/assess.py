"""Assessors: score attacked images, by the attacked metric and by defended metrics that took no part in the attack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import Dataset, Photo
from metric_robustness.pipeline.data.images import Batch
from metric_robustness.pipeline.engine.attack.record import Seconds
from metric_robustness.pipeline.engine.metric.defended import DefendedMetric
from metric_robustness.pipeline.engine.metric.runner import ClearScores, MetricRunner


class Assessment(NamedTuple):
    """What one assessor gives for a batch."""

    columns: dict[str, list[Any]]  # (N,) values each, by the row's column
    seconds: Seconds  # that purifying took


@dataclass(frozen=True)
class Assessor:
    """The metric that was attacked, or the same metric with a defence that took no part in the attack.

    Attributes:
        runner: The metric, bare or defended.
        defence: The name of the defence that did not take part; empty for the metric that was attacked.
        clear: Its scores of the data set's clear images.
        positions: Where an image stands in these scores.
    """

    runner: MetricRunner
    defence: str
    clear: ClearScores
    positions: Mapping[str, int]

    @torch.no_grad()
    def __call__(self, attacked: Images, images: Images, references: Images | None, names: list[str]) -> Assessment:
        """Scores attacked images, which the caller has already re-encoded where a codec is set.

        Raises:
            ValueError: If a score is not finite, or a defence breaks its promises.
        """
        defended = self.runner.defended(names)
        if defended:
            scores, columns, seconds = self._purified(defended, attacked, images, references)
        else:
            scores, columns, seconds = self.runner.metric(attacked, references), {}, {}
        if not scores.isfinite().all():
            raise ValueError("its attacked score is not finite")
        if not self.defence:
            return Assessment({"attacked": scores.tolist(), **columns}, seconds)
        clear = self.clear.scores[[self.positions[name] for name in names]]
        about = {"defence": [self.defence] * len(names), "clear_defended": clear.tolist()}
        return Assessment({**about, "attacked_defended": scores.tolist(), **columns}, seconds)

    def _purified(
        self, defended: DefendedMetric, attacked: Images, images: Images, references: Images | None
    ) -> tuple[Scores, dict[str, list[float]], Seconds]:
        """Returns the defended metric's scores, the columns about its defence, and the seconds that this took."""
        if not self.runner.warm:
            defended.warm_up(attacked)
            self.runner.warm = True
        found = defended.purified(attacked, references)
        distances = defended.measures(found.images, images)
        columns = {"psnr_defended": distances["psnr"], "ssim_defended": distances["ssim"]}
        if found.certificate:
            _, low, high, radius = found.certificate
            columns |= {"radius": radius, "certified_low": low, "certified_high": high}
        spent = {self.runner.entry.name.rpartition("+")[2]: (found.seconds, len(images))}
        return found.scores, {name: values.tolist() for name, values in columns.items()}, spent


@dataclass(frozen=True)
class Assessors:
    """The attacked metric, and the same metric with each defence that took no part in the attack."""

    attacked: Assessor
    others: Sequence[Assessor]

    @classmethod
    def of(
        cls,
        runner: MetricRunner,
        defended: Mapping[str, MetricRunner],
        dataset: Dataset,
        distortion: Distortion,
        clear: ClearScores,
    ) -> Assessors:
        """Returns the assessors of a data set's images.

        Args:
            runner: The metric that is attacked.
            defended: The defended metrics that took no part in the attack, by the defence's name.
            dataset: The images.
            distortion: Of the images.
            clear: The attacked metric's scores of them.
        """
        positions = {photo.name: index for index, photo in enumerate(dataset.photos)}
        others = [
            Assessor(other, name, other.clear(dataset, distortion), positions) for name, other in defended.items()
        ]
        return cls(Assessor(runner, "", clear, positions), others)

    @property
    def excluded(self) -> dict[str, str]:
        """Returns the images without a clear score that a row needs, with the reason."""
        found = {
            image: f"behind {assessor.defence}: {reason}"
            for assessor in self.others
            for image, reason in assessor.clear.excluded.items()
        }
        return found | self.attacked.clear.excluded

    def clear_scores(self, photos: Sequence[Photo]) -> list[float]:
        """Returns the attacked metric's scores of clear images."""
        clear = self.attacked.clear.scores[[self.attacked.positions[photo.name] for photo in photos]]
        return [float(score) for score in clear.tolist()]

    def __call__(
        self, attacked: Images, images: Images, references: Images | None, batch: Batch
    ) -> Iterator[Assessment]:
        """Yields what the attacked metric gives for a batch; with others, what each of them gives as well.

        Raises:
            ValueError: If a score is not finite, or a defence breaks its promises.
        """
        names = [photo.name for photo in batch.photos]
        stored = self.attacked.runner.recoded(attacked)
        first = self.attacked(stored, images, references, names)
        if not self.others:
            yield first
        seconds = first.seconds  # counted once, however many others there are
        for assessor in self.others:
            found = assessor(stored, images, references, names)
            yield Assessment(first.columns | found.columns, seconds | found.seconds)
            seconds = {}
