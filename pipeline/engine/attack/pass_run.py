"""A pass at work on a data set: what images and clips have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import Dataset, Photo
from metric_robustness.pipeline.data.images import Batch
from metric_robustness.pipeline.engine.attack.passes import Pass, Trial
from metric_robustness.pipeline.engine.attack.record import UnitRecord
from metric_robustness.pipeline.engine.batching import BatchRule
from metric_robustness.pipeline.engine.checkpoint import Checkpoint
from metric_robustness.pipeline.engine.metric.runner import ClearScores, MetricRunner, Searched
from metric_robustness.pipeline.engine.progress import OnWork


class PassRun(Protocol):
    """A pass over the images of a data set, batch by batch, or over its clips, window by window."""

    def units(self) -> dict[str, list[Photo]]:
        """Returns the images of each unit, by the name under which the checkpoint records it."""

    def work_of(self, unit: str, photos: list[Photo]) -> int:
        """Returns how many passes over an image a unit of these images takes."""

    def records(self, todo: Mapping[str, list[Photo]]) -> Iterator[tuple[str, UnitRecord]]:
        """Attacks the images of the units; yields each unit's name with its record."""


class Saver(Protocol):
    """Writes images as PNG where a run saves them."""

    def clear(self, dataset: Dataset, distortion: Distortion, batch: Batch) -> None:
        """Writes what is attacked, and the originals that it is compared with."""

    def attacked(self, images: Images, names: list[str], current: Pass, trial: Trial) -> None:
        """Writes attacked images."""


@dataclass(frozen=True)
class Workplace:
    """What all passes of a cell share.

    Attributes:
        runner: The metric.
        cell: The cell.
        assessors: The defended metrics that took no part in the attack, by the defence's name.
        saver: Writes clear and attacked images; None where a run saves none.
        rule: How many images of a height and width make a batch.
        on_work: Is called with the passes over an image that are done.
        checkpoint: Holds the records of finished units.
        keep: Copies the checkpoint to the store, unless that was done a short while ago.
        search: Returns what searches on a data set of this name run on.
    """

    runner: MetricRunner
    cell: Cell
    assessors: Mapping[str, MetricRunner]
    saver: Saver | None
    rule: BatchRule
    on_work: OnWork
    checkpoint: Checkpoint
    keep: Callable[[], None]
    search: Callable[[str], Searched]

    def clear(self, dataset: Dataset, distortion: Distortion) -> ClearScores:
        """Returns the metric's clear scores; says when the metric alone is at work, and when the attack begins."""
        self.on_work("clear", 0)
        found = self.runner.clear(dataset, distortion, partial(self.on_work, "clear"))
        self.on_work(self.cell.attack.name, 0)
        return found
