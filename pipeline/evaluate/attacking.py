"""Attacks one batch: from clear images to rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from metrics.base import Images, Scores
from pipeline.evaluate.images import Batch, quantize, write_png
from pipeline.evaluate.measures import measures
from pipeline.evaluate.metric import MetricBench
from pipeline.evaluate.objective import Gain, ImageNoise
from pipeline.evaluate.passes import Pass
from pipeline.rows import Row


class Attacked(NamedTuple):
    """One image's row, and what was wrong with its gradients."""

    row: dict[str, str]
    flaws: list[str]


@dataclass(frozen=True)
class Attacker:
    """A pass of a cell at work on a data set.

    Attributes:
        bench: The metric.
        attack: The attack's name, with which its noise is seeded.
        dataset: The data set's name.
        current: The pass.
        dtype: Of the attack's search; scores are always float32.
        saved: The folder that the attacked images are written to, or None.
    """

    bench: MetricBench
    attack: str
    dataset: str
    current: Pass
    dtype: torch.dtype
    saved: Path | None

    def __call__(self, batch: Batch, clear: list[float], sides: Mapping[str, Scores]) -> list[Attacked]:
        """Attacks images of equal size; returns their rows, trial by trial.

        Args:
            batch: The images.
            clear: Their scores.
            sides: Their scores by the metrics that the attack needs.

        Raises:
            ValueError: If a score is not finite.
        """
        images, references = self.bench.on_device(batch)
        names = [photo.name for photo in batch.photos]
        found = []
        for trial in self.current.trials:
            access = trial.attack.access
            objective = Gain(self.bench.metric, references, access=access, dtype=self.dtype, clear_scores=sides)
            adversarial = trial.attack(images, objective, ImageNoise(self.attack, names))
            attacked = quantize(adversarial, images, trial.attack.eps)
            columns = self._measured(attacked, images, references)
            if self.saved:
                folder = self.saved / (self.current.variant or "default") / trial.setting
                for name, image in zip(names, attacked, strict=True):
                    write_png(image, folder / f"{name}.png")
            for index, photo in enumerate(batch.photos):
                row = Row(
                    dataset=self.dataset,
                    image=photo.name,
                    clip=photo.clip or photo.name,
                    clear=clear[index],
                    variant=self.current.variant,
                    train_dataset=trial.train_dataset,
                    amplitude=trial.amplitude,
                    queries=objective.queries,
                    gradients=objective.gradients,
                    **{column: values[index] for column, values in columns.items()},
                )
                found.append(Attacked(row.cells(), objective.flaws(index)))
        return found

    @torch.no_grad()
    def _measured(self, attacked: Images, images: Images, references: Images | None) -> dict[str, list[Any]]:
        """Returns the columns that are computed from the attacked images."""
        scores = self.bench.metric(attacked, references)
        if not scores.isfinite().all():
            raise ValueError("its attacked score is not finite")
        found = {"attacked": scores, **measures(attacked, images)}
        return {column: values.tolist() for column, values in found.items()}
