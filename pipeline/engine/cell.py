"""Runs a cell: one attack on one metric, from photographs to rows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch

from metrics.base import Metric, Scores
from pipeline.cells.cell import Cell
from pipeline.config import Quality
from pipeline.data.dataset import Dataset, Photo
from pipeline.data.images import Batch, ahead, load_recent
from pipeline.engine.attack.batch import Attacked, Attacker
from pipeline.engine.attack.passes import Pass, Patterns, attack_passes, attack_variants, passes_over
from pipeline.engine.batching import BatchRule, isolate
from pipeline.engine.checkpoint import Checkpoint
from pipeline.engine.clips.attack import ClipAttacker
from pipeline.engine.clips.means import clip_means
from pipeline.engine.clips.runner import ClipRunner, Share
from pipeline.engine.metric.runner import MetricRunner, Report
from pipeline.engine.saved.read import SavedEntry
from pipeline.engine.saved.write import save_clear
from pipeline.errors import DataError
from pipeline.store.store import Place


class Outcome(NamedTuple):
    """What a cell came to."""

    rows: list[dict[str, str]]
    excluded: dict[str, dict[str, str]]  # data set -> image -> reason
    seconds: dict[str, float]  # per variant
    flaws: dict[str, Counter[str]]  # per variant: how many images' gradients were zero or not finite
    purifying: dict[str, float]  # defence -> seconds per image, of the defence alone


class CellRun:
    """One cell at work; what is finished is written down batch by batch, and never done again.

    Args:
        runner: The metric.
        cell: The cell.
        report: Told of the passes over an image that are done.
        save_images: Whether to write the attacked images, and what was attacked, as PNG.
        patterns: Of a universal attack, the fitted patterns.
    """

    def __init__(
        self,
        runner: MetricRunner,
        cell: Cell,
        report: Report,
        *,
        save_images: bool = False,
        patterns: Patterns | None = None,
    ) -> None:
        self.runner, self.cell, self.report = runner, cell, report
        self.saved = cell.images(runner.out) if save_images else None
        self.patterns = patterns
        self.defences = {
            name: runner.behind(entry) for name, entry in zip(cell.settings.defences, cell.defended(), strict=True)
        }
        path, self.place = runner.work(f"{cell.label}.jsonl"), Place("work", cell.key, "journal")
        runner.sync.bring(self.place, path)
        self.checkpoint = Checkpoint(
            path,
            f"{cell.key} images={save_images}",
            {"pixels": runner.rule.pixels, "most": runner.rule.most},
        )
        # A resumed run keeps the first one's batches, since their size may change the last digit of a score.
        self.rule = BatchRule(self.checkpoint.header["pixels"], self.checkpoint.header["most"])

    def run(self, datasets: list[Dataset]) -> Outcome:
        """Runs what is left of the cell.

        Raises:
            BenchError: If a setting does not exist.
            DataError: If no image gave a row.
            TransientError: If the machine failed.
        """
        outcome = Outcome([], {dataset.name: dict(dataset.excluded) for dataset in datasets}, {}, {}, {})
        purified: dict[str, tuple[float, int]] = {}
        for dataset, current in self._plan(datasets):
            records = self._pass(dataset, current)
            rows = _ordered(dataset, [row for record in records for row in record["rows"]])
            outcome.rows.extend([*rows, *clip_means(rows)])
            for record in records:
                outcome.excluded[dataset.name] |= record["excluded"]
                outcome.flaws.setdefault(current.variant, Counter()).update(record["flaws"])
                for name, (seconds, images) in record.get("purified", {}).items():
                    before = purified.get(name, (0, 0))
                    purified[name] = (before[0] + seconds, before[1] + images)
            spent = outcome.seconds.get(current.variant, 0) + sum(record["seconds"] for record in records)
            outcome.seconds[current.variant] = round(spent, 3)
        outcome.purifying.update({name: seconds / images for name, (seconds, images) in purified.items()})
        if not outcome.rows:
            left_out = [item for images in outcome.excluded.values() for item in images.items()]
            raise DataError(f"no image gave a row; {left_out[0][0]}: {left_out[0][1]}")
        return outcome

    def _plan(self, datasets: list[Dataset]) -> Iterator[tuple[Dataset, Pass]]:
        """Yields the passes over the data sets; of saved images, over those that each setting was saved of."""
        settings, full_reference = self.cell.settings, self.runner.entry.full_reference
        if isinstance(self.cell.attack, SavedEntry):
            yield from self.cell.attack.passes(full_reference=full_reference)
            return
        attacks = attack_variants(self.cell.attack, settings)
        passes = list(attack_passes(attacks, settings, full_reference, self.patterns))
        for dataset in datasets:
            for current in passes_over(dataset, passes, settings):
                yield dataset, current

    def _pass(self, dataset: Dataset, current: Pass) -> list[dict[str, Any]]:
        """Runs one pass over a data set; returns a record per batch, or per clip."""
        if isinstance(self.runner, ClipRunner):
            return self._clips(self.runner, dataset, current)
        clear, excluded = self.runner.clear(dataset, current.jpeg, self.report)
        sides, sides_excluded = self._sides(dataset, current.jpeg)
        behind, behind_excluded = self._behind(dataset, current.jpeg)
        excluded = behind_excluded | sides_excluded | excluded
        position = {photo.name: index for index, photo in enumerate(dataset.photos)}
        units = {
            f"{dataset.name}/{current.unit}/{index}": photos for index, photos in enumerate(dataset.batches(self.rule))
        }
        todo = [(unit, photos) for unit, photos in units.items() if unit not in self.checkpoint.done]
        already = len(dataset.photos) - sum(len(photos) for _, photos in todo)
        self.report(self.cell.attack.name, already * current.work)
        dtype = getattr(torch, self.cell.settings.dtype)
        attacker = Attacker(
            self.runner,
            self.cell.attack.name,
            dataset.name,
            current,
            dtype,
            self.saved,
            self._companions(),
            self.defences,
            dataset.opinions,
        )

        def load(item: tuple[str, list[Photo]]) -> Batch | None:
            photos = [photo for photo in item[1] if photo.name not in excluded]
            return load_recent(tuple(photos), dataset.crop, current.jpeg) if photos else None

        def attack(part: Batch) -> list[Attacked]:
            index = [position[photo.name] for photo in part.photos]
            known = {metric: scores[index].to(self.runner.device) for metric, scores in sides.items()}
            clear_behind = {defence: scores[index].tolist() for defence, scores in behind.items()}
            if self.saved:
                save_clear(self.cell, self.runner.out, dataset, current.jpeg, part)
            return attacker(part, clear[index].tolist(), known, clear_behind)

        for (unit, photos), batch in ahead(todo, load):
            start = time.perf_counter()
            attacker.purified.clear()
            done, failed = isolate(attack, batch) if batch else ([], {})
            known = {photo.name: excluded[photo.name] for photo in photos if photo.name in excluded}
            record = {
                "rows": [image.row for image in done],
                "flaws": Counter(flaw for image in done for flaw in image.flaws),
                "excluded": known | failed | (batch.excluded if batch else {}),
                "seconds": time.perf_counter() - start,
                "purified": dict(attacker.purified),
            }
            self.checkpoint.record(unit, record)
            self.runner.sync.copy(self.place, self.checkpoint.path)
            self.report(self.cell.attack.name, len(photos) * current.work)
        return [self.checkpoint.done[unit] for unit in units]

    def _clips(self, runner: ClipRunner, dataset: Dataset, current: Pass) -> list[dict[str, Any]]:
        """Runs one pass over the clips of a data set; returns a record per clip."""
        clear, excluded = runner.clear(dataset, current.jpeg, self.report)
        sides, left_out = self._sides(dataset, current.jpeg)
        position = {photo.name: index for index, photo in enumerate(dataset.photos)}
        attacker = ClipAttacker(
            runner,
            self.cell.attack.name,
            dataset,
            current,
            getattr(torch, self.cell.settings.dtype),
            self.saved,
            self.checkpoint,
            self.rule,
            lambda: runner.sync.copy(self.place, self.checkpoint.path),
            self._companions(),
        )
        records = []
        for (clip, photos), score in zip(dataset.clips.items(), clear.tolist(), strict=True):
            share = Share(partial(self.report, self.cell.attack.name), len(photos) * current.work)
            reasons = [excluded.get(clip), *(left_out.get(photo.name) for photo in photos)]
            if reason := next(filter(None, reasons), None):
                records.append({"rows": [], "flaws": {}, "excluded": {clip: reason}, "seconds": 0})
            else:
                index = [position[photo.name] for photo in photos]
                known = {metric: scores[index].to(runner.device) for metric, scores in sides.items()}
                records.append(attacker(clip, score, known, share))
            share.end()
        return records

    def _sides(self, dataset: Dataset, jpeg: Quality | None) -> tuple[dict[str, Scores], dict[str, str]]:
        """Returns the clear images' scores by the metrics of one image that the attack names in `needs`."""
        scores: dict[str, Scores] = {}
        excluded: dict[str, str] = {}
        for entry in self.cell.needed():
            if entry.kind == "FR":
                continue  # it is asked how close an attacked image is to the clear one
            scores[entry.name], left_out = self.runner.beside(entry).clear(dataset, jpeg)
            excluded |= {image: f"{entry.name}, which the attack needs: {reason}" for image, reason in left_out.items()}
        return scores, excluded

    def _companions(self) -> dict[str, Metric]:
        """Returns the full-reference metrics that the attack names in `needs`."""
        return {entry.name: self.runner.beside(entry).metric for entry in self.cell.needed() if entry.kind == "FR"}

    def _behind(self, dataset: Dataset, jpeg: Quality | None) -> tuple[dict[str, Scores], dict[str, str]]:
        """Returns the clear images' scores behind each defence."""
        scores: dict[str, Scores] = {}
        excluded: dict[str, str] = {}
        for name, runner in self.defences.items():
            scores[name], left_out = runner.clear(dataset, jpeg)
            excluded |= {image: f"behind {name}: {reason}" for image, reason in left_out.items()}
        return scores, excluded


def _ordered(dataset: Dataset, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Returns the rows of one pass, in file order within each pattern, amplitude and defence."""
    order = [*(photo.name for photo in dataset.photos), *dataset.clips]
    settings: dict[tuple[str, ...], dict[str, dict[str, str]]] = {}
    for row in rows:
        settings.setdefault((row["train_dataset"], row["amplitude"], row["defence"]), {})[row["image"]] = row
    return [group[name] for group in settings.values() for name in order if name in group]
