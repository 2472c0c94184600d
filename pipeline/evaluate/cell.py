"""Runs a cell: one attack on one metric, from photographs to rows."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, NamedTuple

import torch

from attacks.base import Attack
from metrics.base import Scores
from pipeline import catalog
from pipeline.cells import Cell
from pipeline.ci.store import Place
from pipeline.errors import DataError
from pipeline.evaluate.batching import BatchRule, isolate
from pipeline.evaluate.datasets import Dataset, Photo
from pipeline.evaluate.images import Batch, ahead, load_recent, quantize, write_png
from pipeline.evaluate.journal import Journal
from pipeline.evaluate.measures import measures
from pipeline.evaluate.metric import MetricBench, Report
from pipeline.evaluate.objective import Gain, ImageNoise
from pipeline.evaluate.passes import Pass, attack_passes
from pipeline.rows import Row


class Outcome(NamedTuple):
    """What a cell came to."""

    rows: list[dict[str, str]]
    excluded: dict[str, dict[str, str]]  # data set -> image -> reason
    seconds: dict[str, float]  # per variant
    flaws: dict[str, Counter[str]]  # per variant: how many images' gradients were zero or not finite


class Attacked(NamedTuple):
    """One image's row, and what was wrong with its gradients."""

    row: dict[str, str]
    flaws: list[str]


class CellRun:
    """One cell at work; what is finished is written down batch by batch, and never done again.

    Args:
        bench: The metric.
        cell: The cell.
        report: Told of the passes over an image that are done.
        save_images: Whether to write the attacked images as PNG.
    """

    def __init__(self, bench: MetricBench, cell: Cell, report: Report, *, save_images: bool = False) -> None:
        self.bench, self.cell, self.report, self.save_images = bench, cell, report, save_images
        path, self.place = bench.work(f"{cell.label}.jsonl"), Place("work", cell.key, "journal")
        bench.keeper.bring(self.place, path)
        self.journal = Journal(
            path,
            f"{cell.key} images={save_images}",
            {"pixels": bench.rule.pixels, "most": bench.rule.most},
        )
        # A resumed run keeps the first one's batches, since their size may change the last digit of a score.
        self.rule = BatchRule(self.journal.header["pixels"], self.journal.header["most"])

    def run(self, datasets: list[Dataset]) -> Outcome:
        """Runs what is left of the cell.

        Raises:
            BenchError: If a setting does not exist.
            DataError: If no image gave a row.
            TransientError: If the machine failed.
        """
        passes = list(attack_passes(self.cell.attack, self.cell.settings, self.bench.entry.kind == "FR"))
        outcome = Outcome([], {dataset.name: dict(dataset.excluded) for dataset in datasets}, {}, {})
        for dataset in datasets:
            for current in passes:
                records = self._pass(dataset, current)
                rows = {row["image"]: row for record in records for row in record["rows"]}
                outcome.rows.extend(rows[photo.name] for photo in dataset.photos if photo.name in rows)
                for record in records:
                    outcome.excluded[dataset.name] |= record["excluded"]
                    outcome.flaws.setdefault(current.variant, Counter()).update(record["flaws"])
                spent = outcome.seconds.get(current.variant, 0) + sum(record["seconds"] for record in records)
                outcome.seconds[current.variant] = round(spent, 3)
        if not outcome.rows:
            left_out = [item for images in outcome.excluded.values() for item in images.items()]
            raise DataError(f"no image gave a row; {left_out[0][0]}: {left_out[0][1]}")
        return outcome

    def _pass(self, dataset: Dataset, current: Pass) -> list[dict[str, Any]]:
        """Runs one pass over a data set; returns a record per batch."""
        clear, excluded = self.bench.clear(dataset, current.jpeg, self.report)
        sides, sides_excluded = self._sides(current.attack, dataset, current.jpeg)
        excluded = sides_excluded | excluded
        position = {photo.name: index for index, photo in enumerate(dataset.photos)}
        units = {
            f"{dataset.name}/{current.variant}/{index}": photos
            for index, photos in enumerate(dataset.batches(self.rule))
        }
        todo = [(unit, photos) for unit, photos in units.items() if unit not in self.journal.done]
        already = len(dataset.photos) - sum(len(photos) for _, photos in todo)
        self.report(self.cell.attack.name, already * current.work)

        def load(item: tuple[str, list[Photo]]) -> Batch | None:
            photos = [photo for photo in item[1] if photo.name not in excluded]
            return load_recent(tuple(photos), dataset.crop, current.jpeg) if photos else None

        def attack(part: Batch) -> list[Attacked]:
            index = [position[photo.name] for photo in part.photos]
            known = {metric: scores[index].to(self.bench.device) for metric, scores in sides.items()}
            return self._attack(dataset.name, current, part, clear[index].tolist(), known)

        for (unit, photos), batch in ahead(todo, load):
            start = time.perf_counter()
            done, failed = isolate(attack, batch) if batch else ([], {})
            known = {photo.name: excluded[photo.name] for photo in photos if photo.name in excluded}
            record = {
                "rows": [image.row for image in done],
                "flaws": Counter(flaw for image in done for flaw in image.flaws),
                "excluded": known | failed | (batch.excluded if batch else {}),
                "seconds": time.perf_counter() - start,
            }
            self.journal.record(unit, record)
            self.bench.keeper.copy(self.place, self.journal.path)
            self.report(self.cell.attack.name, len(photos) * current.work)
        return [self.journal.done[unit] for unit in units]

    def _sides(self, attack: Attack, dataset: Dataset, jpeg: int | None) -> tuple[dict[str, Scores], dict[str, str]]:
        """Returns the clear images' scores by the metrics that the attack names in `needs`."""
        scores: dict[str, Scores] = {}
        excluded: dict[str, str] = {}
        for name in attack.needs:
            other = self.bench.beside(catalog.find("metrics", name))
            scores[name], left_out = other.clear(dataset, jpeg)
            excluded |= {image: f"{name}, which the attack needs: {reason}" for image, reason in left_out.items()}
        return scores, excluded

    def _attack(
        self, dataset: str, current: Pass, batch: Batch, clear: list[float], sides: dict[str, Scores]
    ) -> list[Attacked]:
        """Attacks one batch and returns its rows.

        Raises:
            ValueError: If a score is not finite.
        """
        attack, metric, names = current.attack, self.bench.metric, [photo.name for photo in batch.photos]
        images, references = self.bench.on_device(batch)
        dtype = getattr(torch, self.cell.settings.dtype)
        objective = Gain(metric, references, access=attack.access, dtype=dtype, clear_scores=sides)
        adversarial = attack(images, objective, ImageNoise(self.cell.attack.name, names))
        attacked = quantize(adversarial, images, attack.eps)
        with torch.no_grad():
            scores = metric(attacked, references)
            if not scores.isfinite().all():
                raise ValueError("its attacked score is not finite")
            columns = {name: values.tolist() for name, values in measures(attacked, images).items()}
        if self.save_images:
            folder = self.cell.images(self.bench.out) / (current.variant or "default")
            for name, image in zip(names, attacked, strict=True):
                write_png(image, folder / f"{name}.png")
        rows = [
            Row(
                dataset=dataset,
                image=name,
                clip=name,
                clear=clear[index],
                attacked=value,
                variant=current.variant,
                queries=objective.queries,
                gradients=objective.gradients,
                **{column: values[index] for column, values in columns.items()},
            )
            for index, (name, value) in enumerate(zip(names, scores.tolist(), strict=True))
        ]
        return [Attacked(row.cells(), objective.flaws(index)) for index, row in enumerate(rows)]
