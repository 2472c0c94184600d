"""Attacks one batch: from clear images to rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch

from metrics.base import Images, Metric, Scores
from pipeline.cells.row import Row
from pipeline.data.dataset import Photo
from pipeline.data.images import Batch, load_saved, quantize, write_png
from pipeline.engine.attack.passes import Pass
from pipeline.engine.measures.distances import measures
from pipeline.engine.metric.defended import Guard
from pipeline.engine.metric.objective import ImageNoise, MetricObjective
from pipeline.engine.metric.runner import MetricRunner


class Attacked(NamedTuple):
    """One image's row, and what was wrong with its gradients."""

    row: dict[str, str]
    flaws: list[str]


@dataclass(frozen=True)
class Attacker:
    """A pass of a cell at work on a data set.

    Attributes:
        runner: The metric.
        attack: The attack's name, with which its noise is seeded.
        dataset: The data set's name.
        current: The pass.
        dtype: Of the attack's search; scores are always float32.
        saved: The folder that the attacked images are written to, or None.
        beside: Full-reference metrics that the attack needs.
        defences: Defences that judge what attacks the bare metric: the metric behind each, by the defence's name.
        opinions: Mean opinion scores of the images that people rated.
        purified: By defence, the seconds that it took, and of how many images.
    """

    runner: MetricRunner
    attack: str
    dataset: str
    current: Pass
    dtype: torch.dtype
    saved: Path | None
    beside: Mapping[str, Metric] = field(default_factory=dict)
    defences: Mapping[str, MetricRunner] = field(default_factory=dict)
    opinions: Mapping[str, float] = field(default_factory=dict)
    purified: dict[str, tuple[float, int]] = field(default_factory=dict)

    def __call__(
        self, batch: Batch, clear: list[float], sides: Mapping[str, Scores], behind: Mapping[str, Sequence[float]]
    ) -> list[Attacked]:
        """Attacks images of equal size; returns their rows, trial by trial and defence by defence.

        Args:
            batch: The images.
            clear: Their scores.
            sides: Their scores by the metrics that the attack needs.
            behind: By defence that judges the attacked images too, their scores behind it.

        Raises:
            ValueError: If a score is not finite, or a defence breaks its promises.
        """
        images, references = self.runner.on_device(batch)
        names = [photo.name for photo in batch.photos]
        guard = self.runner.guard(names)
        companions = {name: MetricObjective(metric, images) for name, metric in self.beside.items()}
        found = []
        for trial in self.current.trials:
            judge = guard.behind(self.runner.metric) if guard else self.runner.metric
            objective = MetricObjective(
                judge,
                references,
                access=trial.attack.access,
                draws=guard.draws if guard else 1,
                dtype=self.dtype,
                clear_scores=sides,
                companions=companions,
            )
            if trial.saved is None:
                adversarial = trial.attack(images, objective, ImageNoise(self.attack, names))
                attacked = quantize(adversarial, images, trial.attack.eps)
            else:
                attacked = load_saved([trial.saved[name] for name in names], images)
            if self.saved:
                folder = self.saved / (self.current.variant or "default") / trial.setting
                for name, image in zip(names, attacked, strict=True):
                    write_png(image, folder / f"{name}.png")
            common: dict[str, Any] = {
                "dataset": self.dataset,
                "variant": self.current.variant,
                "train_dataset": trial.train_dataset,
                "amplitude": trial.amplitude,
                "queries": objective.queries,
                "gradients": objective.gradients,
            }
            for columns in self._measured(attacked, images, references, names, behind):
                for index, photo in enumerate(batch.photos):
                    own = {column: values[index] for column, values in columns.items()}
                    of_image: dict[str, Any] = {"clip": photo.clip or photo.name, "mos": self._mos(photo)}
                    row = Row(image=photo.name, clear=clear[index], **of_image, **common, **own)
                    found.append(Attacked(row.cells(), objective.flaws(index)))
        return found

    def _mos(self, photo: Photo) -> float | None:
        """Returns what people think of what the metric scores; they never saw the images that are compressed for it."""
        seen = photo.reference is not None or not self.runner.entry.full_reference
        return self.opinions.get(photo.name) if seen else None

    @torch.no_grad()
    def _measured(
        self,
        attacked: Images,
        images: Images,
        references: Images | None,
        names: list[str],
        behind: Mapping[str, Sequence[float]],
    ) -> Iterator[dict[str, Any]]:
        """Yields the columns that are computed from the attacked images, (N,) values each; once for every defence."""
        changed = measures(attacked, images)
        changed["l2"] = (changed["mse"] * images[0].numel()).sqrt()
        attacked = self.runner.recoded(attacked)
        if guard := self.runner.guard(names):
            scores, through = self._seen(self.runner, guard, attacked, images, references)
            changed |= through
        else:
            scores = self.runner.metric(attacked, references)
        if not scores.isfinite().all():
            raise ValueError("its attacked score is not finite")
        columns: dict[str, Any] = {"attacked": scores.tolist()}
        columns |= {column: values.tolist() for column, values in changed.items()}
        if not self.defences:
            yield columns
        for name, runner in self.defences.items():
            if defence := runner.guard(names):
                scores, through = self._seen(runner, defence, attacked, images, references)
                yield columns | {
                    "defence": [name] * len(names),
                    "clear_defended": behind[name],
                    "attacked_defended": scores.tolist(),
                    **{column: values.tolist() for column, values in through.items()},
                }

    def _seen(
        self, runner: MetricRunner, guard: Guard, attacked: Images, images: Images, references: Images | None
    ) -> tuple[Scores, dict[str, Scores]]:
        """Returns the scores through a defence and the columns about it; the time that this takes is added up."""
        if not runner.warm:
            guard.warm_up(attacked)
            runner.warm = True
        seen = guard.seen(runner.metric, attacked, references)
        name = runner.entry.name.rpartition("+")[2]
        seconds, number = self.purified.get(name, (0.0, 0))
        self.purified[name] = (seconds + seen.seconds, number + len(images))
        found = guard.distances(seen.purified, images)
        columns = {"psnr_defended": found["psnr"], "ssim_defended": found["ssim"]}
        if seen.certificate:
            _, low, high, radius = seen.certificate
            columns |= {"radius": radius, "certified_low": low, "certified_high": high}
        return seen.scores, columns
