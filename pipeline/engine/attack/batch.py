"""One batch under attack, and a pass of images: from clear images to rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.pipeline.cells.row import Row
from metric_robustness.pipeline.data.dataset import Dataset, Photo
from metric_robustness.pipeline.data.images import Batch, ahead, load_saved
from metric_robustness.pipeline.engine.attack.assess import Assessment, Assessors
from metric_robustness.pipeline.engine.attack.pass_run import Workplace
from metric_robustness.pipeline.engine.attack.passes import Pass, Trial
from metric_robustness.pipeline.engine.attack.record import UnitRecord, add, add_seconds, empty_record
from metric_robustness.pipeline.engine.attack.targets import Targets, Towards, targets_of
from metric_robustness.pipeline.engine.batching import Parts
from metric_robustness.pipeline.engine.measures.distances import measures
from metric_robustness.pipeline.engine.metric.defended import DefendedMetric
from metric_robustness.pipeline.engine.metric.draws import draws_of
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective, Scorer
from metric_robustness.pipeline.engine.metric.runner import Searched
from metric_robustness.pipeline.engine.metric.surrogates import Surrogates, surrogates_of


class Attacked(NamedTuple):
    """The attacked images of a batch, and what the attack spent."""

    images: Images  # on the 256 levels, within eps of the clear ones
    measures: dict[str, Scores]  # psnr, ssim, mse, linf and l2 against the clear images, (N,) each
    queries: int  # per image
    gradients: int
    flaws: list[list[str]]  # by image: what was wrong with its gradients


def attack_batch(
    images: Images, names: list[str], objective: MetricObjective, trial: Trial, targets: Scores | None = None
) -> Attacked:
    """Attacks images of equal size, rounds what the attack returns to 8 bits, and measures it.

    Args:
        images: The clear images, (N, 3, H, W) on the 256 levels.
        names: Their names, which seed the attack's noise.
        objective: What the attack raises.
        trial: The attack; one whose images were saved before is not run again.
        targets: The score that each image shall get, (N,), in the metric's unit; None: one as high as possible.
    """
    aim = objective if targets is None else Towards(objective, objective.scale * targets)
    if trial.saved is None:
        with draws_of(trial.name, images.device):
            adversarial = trial.attack(images, aim, ImageNoise(trial.name, names))
        attacked = trial.attack.rounded(adversarial, images)
    else:
        attacked = load_saved([trial.saved[name] for name in names], images)
    with torch.no_grad():
        changed = measures(attacked, images)
        changed["l2"] = (changed["mse"] * images[0].numel()).sqrt()
    flaws = [objective.flaws(index) for index in range(len(names))]
    return Attacked(attacked, changed, objective.queries, objective.gradients, flaws)


def objective_of(
    scorer: Scorer,
    images: Images,
    references: Images | None,
    trial: Trial,
    surrogates: Surrogates,
    *,
    dtype: torch.dtype,
) -> MetricObjective:
    """Returns what an attack raises on a batch.

    Args:
        scorer: Gives the scores.
        images: The clear images.
        references: Their originals, for a full-reference metric.
        trial: The attack.
        surrogates: Its surrogates, on these images.
        dtype: Of the search.
    """
    return MetricObjective(
        scorer,
        references,
        access=trial.attack.access,
        draws=scorer.draws if isinstance(scorer, DefendedMetric) else 1,
        dtype=dtype,
        surrogate_scores=surrogates.scores,
        surrogates={name: MetricObjective(metric, images) for name, metric in surrogates.full_reference.items()},
    )


@dataclass(frozen=True)
class ImagePass:
    """A pass of a cell at work on the images of a data set.

    Attributes:
        at: What it shares with the other passes of its cell.
        dataset: The images.
        current: The pass.
    """

    at: Workplace
    dataset: Dataset
    current: Pass

    def units(self) -> dict[str, list[Photo]]:
        """Returns the batches: a data set and a rule always give the same, so that a resumed run finds them again."""
        batches = enumerate(self.dataset.batches(self.at.rule))
        return {f"{self.dataset.name}/{self.current.unit}/{index}": photos for index, photos in batches}

    def work_of(self, unit: str, photos: list[Photo]) -> int:
        """Returns how many passes over an image a batch takes."""
        return len(photos) * self.current.work

    def records(self, todo: Mapping[str, list[Photo]]) -> Iterator[tuple[str, UnitRecord]]:
        """Attacks the batches, decoded ahead; an image that fails costs only itself."""
        excluded = self._excluded  # before the thread that decodes begins: the clear images may have to be scored

        def load(item: tuple[str, list[Photo]]) -> Batch:
            photos = [photo for photo in item[1] if photo.name not in excluded]
            if not photos:
                return Batch([], torch.empty(0), None, {})
            return self.at.runner.load(photos, self.dataset, self.current.distortion)

        for (unit, photos), batch in ahead(todo.items(), load):
            start = time.perf_counter()
            known = {photo.name: excluded[photo.name] for photo in photos if photo.name in excluded}
            record = empty_record(known | batch.excluded)
            parts = Parts(batch)
            for part in parts:
                with parts.costs_only(part):
                    add(record, self._attack(part))
            record["excluded"] |= parts.failed
            self.at.runner.slow = self.at.runner.slow or parts.slow
            record["seconds"] = time.perf_counter() - start
            yield unit, record
            self.at.on_work(self.at.cell.attack.name, len(photos) * self.current.work)

    @cached_property
    def _assessors(self) -> Assessors:
        dataset, distortion = self.dataset, self.current.distortion
        clear = self.at.clear(dataset, distortion)
        return Assessors.of(self.at.runner, self.at.assessors, dataset, distortion, clear)

    @cached_property
    def _surrogates(self) -> Surrogates:
        return surrogates_of(self.at.runner, self.at.cell.needed(), self.dataset, self.current.distortion)

    @cached_property
    def _excluded(self) -> dict[str, str]:
        """Returns the images without one of the clear scores that a row needs, with the reason."""
        assessed = self._assessors.excluded
        return {**self._targets.excluded, **self._surrogates.excluded, **assessed}

    @cached_property
    def _targets(self) -> Targets:
        clear = self._assessors.attacked.clear.scores
        return targets_of(self.current.trials[0].attack, [photo.name for photo in self.dataset.photos], clear)

    def _attack(self, batch: Batch) -> UnitRecord:
        """Attacks images of equal size; returns their rows, trial by trial and assessor by assessor.

        Raises:
            ValueError: If a score is not finite, or a defence breaks its promises.
        """
        if self.at.saver:
            self.at.saver.clear(self.dataset, self.current.distortion, batch)
        images, references = self.at.runner.on_device(batch)
        names = [photo.name for photo in batch.photos]
        surrogates = self._surrogates.of(batch.photos)
        dtype = getattr(torch, self.at.cell.settings.dtype)
        found = empty_record()
        found_before = images
        for each in self.current.trials:
            trial = each.after(found_before)
            searched = self.at.search(self.dataset.name) if trial.searches else Searched(self.at.runner.metric, "")
            search = searched.metric
            scorer = self.at.runner.defended(names, search) or search
            objective = objective_of(scorer, images, references, trial, surrogates, dtype=dtype)
            if scorer is search and not self.at.runner.entry.fields["random"]:
                batch_key = self.dataset.name, self.current.distortion, tuple(names), dtype, searched.told
                objective.first = self.at.runner.first_gradients.at(batch_key, images)
            attacked = attack_batch(images, names, objective, trial, self._targets.of(names, images))
            found_before = attacked.images
            if self.at.saver:
                self.at.saver.attacked(attacked.images, names, self.current, trial)
            for assessment in self._assessors(attacked.images, images, references, batch):
                found["rows"] += self._rows(batch.photos, trial, attacked, assessment)
                for flaw in (flaw for flaws in attacked.flaws for flaw in flaws if not trial.budget):
                    found["flaws"][flaw] = found["flaws"].get(flaw, 0) + 1
                add_seconds(found["purified"], assessment.seconds)
        return found

    def _rows(
        self, photos: list[Photo], trial: Trial, attacked: Attacked, assessment: Assessment
    ) -> Iterator[dict[str, str]]:
        """Yields the row of each image."""
        columns = {name: values.tolist() for name, values in attacked.measures.items()} | assessment.columns
        common: dict[str, Any] = {
            "dataset": self.dataset.name,
            "variant": self.current.variant_of(trial),
            "train_dataset": trial.train_dataset,
            "amplitude": trial.amplitude,
            "queries": attacked.queries,
            "gradients": attacked.gradients,
        }
        for index, (photo, clear) in enumerate(zip(photos, self._assessors.clear_scores(photos), strict=True)):
            own: dict[str, Any] = {column: values[index] for column, values in columns.items()}
            of_image: dict[str, Any] = {"clip": photo.clip or photo.name, "mos": self._opinion(photo)}
            if photo.rung:
                of_image |= {"clip": photo.rung.photograph, "rung": photo.rung.place}
            yield Row(image=photo.name, clear=clear, **of_image, **common, **own).cells()

    def _opinion(self, photo: Photo) -> float | None:
        """Returns people's mean opinion of the image; None if the run distorts it, since nobody rated that."""
        seen = photo.reference is not None or not self.at.runner.entry.full_reference
        return self.dataset.opinions.get(photo.name) if seen else None
