"""Runs a cell: one attack on one metric, from images or clips to rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.engine.attack.batch import ImagePass
from metric_robustness.pipeline.engine.attack.cell_search import CellSearch
from metric_robustness.pipeline.engine.attack.pass_run import PassRun, Workplace
from metric_robustness.pipeline.engine.attack.passes import Pass, Patterns, attack_passes, distortions_of
from metric_robustness.pipeline.engine.attack.record import Seconds, UnitRecord, add_seconds
from metric_robustness.pipeline.engine.attack.settings import attack_variants
from metric_robustness.pipeline.engine.batching import BatchRule
from metric_robustness.pipeline.engine.checkpoint import Checkpoint
from metric_robustness.pipeline.engine.clips.clip_pass import ClipPass, WindowRecord
from metric_robustness.pipeline.engine.clips.means import clip_means
from metric_robustness.pipeline.engine.earlier import Earlier
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.progress import OnWork
from metric_robustness.pipeline.engine.saved.read import SavedEntry
from metric_robustness.pipeline.engine.saved.write import ImageWriter
from metric_robustness.pipeline.engine.scout import not_needed
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.store.store import Place

PASSES: dict[str, Callable[[Workplace, Dataset, Pass], PassRun]] = {"NR": ImagePass, "FR": ImagePass, "video": ClipPass}
RECORD: TypeAdapter[UnitRecord | WindowRecord] = TypeAdapter(UnitRecord | WindowRecord)


@dataclass
class CellResult:
    """The rows of a cell, and what its stamp records of the run.

    Attributes:
        rows: As text, by column.
        excluded: By data set: why an image has no row.
        spared: By data set: why the attack was not needed on it.
        searched: By data set: on which copy of the metric the attack searched, or why on none.
        seconds: By variant.
        flaws: By variant: how many images' gradients were zero or not finite.
        purified: By defence: the seconds that it took, and for how many images.
    """

    rows: list[dict[str, str]] = field(default_factory=list)
    excluded: dict[str, dict[str, str]] = field(default_factory=dict)
    spared: dict[str, str] = field(default_factory=dict)
    searched: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    flaws: dict[str, Counter[str]] = field(default_factory=dict)
    purified: Seconds = field(default_factory=dict)

    def add(
        self, dataset: Dataset, variant: str, records: list[UnitRecord], earlier: Sequence[dict[str, str]] = ()
    ) -> None:
        """Adds the records of a pass, and the rows that it had earlier."""
        rows = _ordered(dataset, [*earlier, *(row for record in records for row in record["rows"])])
        self.rows += [*rows, *clip_means(rows)]
        for record in records:
            self.excluded[dataset.name] |= record["excluded"]
            self.flaws.setdefault(variant, Counter()).update(record["flaws"])
            add_seconds(self.purified, record["purified"])
        spent = self.seconds.get(variant, 0) + sum(record["seconds"] for record in records)
        self.seconds[variant] = round(spent, 3)

    def go_on_from(self, earlier: Earlier) -> None:
        """Begins with what the stamp of earlier rows says of them."""
        self.seconds = dict(earlier.stamp.seconds)
        self.flaws = {variant: Counter(flaws) for variant, flaws in earlier.stamp.flaws.items()}
        for name in self.excluded:
            self.excluded[name] |= earlier.excluded(name)

    @property
    def purifying(self) -> dict[str, float]:
        """Returns the seconds per image of each defence alone."""
        return {name: seconds / images for name, (seconds, images) in self.purified.items()}


class CellRun:
    """One cell at work; the checkpoint records each finished unit, so that no run does it again.

    Args:
        runner: The metric.
        cell: The cell.
        on_work: Is called with the passes over an image that are done.
        save_images: Whether to write the attacked images, and what was attacked, as PNG.
        patterns: Of a universal attack, the fitted patterns.
        on_unit: Is called after every finished unit.
        earlier: Finished rows on a part of the images, which stay.
    """

    def __init__(
        self,
        runner: MetricRunner,
        cell: Cell,
        on_work: OnWork,
        *,
        save_images: bool = False,
        patterns: Patterns | None = None,
        on_unit: Callable[[], None] = lambda: None,
        earlier: Earlier | None = None,
    ) -> None:
        self.runner, self.cell, self.on_work, self.patterns = runner, cell, on_work, patterns
        self.on_unit, self.earlier = on_unit, earlier
        self.saver = ImageWriter(cell, runner.out) if save_images else None
        path, self.place = runner.scratch(f"{cell.label}.jsonl"), Place("unfinished", cell.key, "checkpoint")
        runner.sync.bring(self.place, path)
        batches = {"pixels": runner.rule.pixels, "most": runner.rule.most}
        after = f" after {earlier.stamp.key}" if earlier else ""
        self.checkpoint = Checkpoint(path, f"{cell.key} images={save_images}{after}", RECORD, batches)
        # A resumed run keeps the first one's batches, since their size may change the last digit of a score.
        self.rule = BatchRule(self.checkpoint.header["pixels"], self.checkpoint.header["most"])

    def run(self, datasets: list[Dataset]) -> CellResult:
        """Runs the units that the checkpoint lacks.

        Raises:
            BenchError: If a setting does not exist.
            DataError: If no image gave a row.
            TransientError: If the machine failed.
        """
        result = CellResult(excluded={dataset.name: dict(dataset.excluded) for dataset in datasets})
        if isinstance(self.cell.attack, SavedEntry):
            for name, images in self.cell.attack.excluded.items():
                result.excluded[name] |= images
        if self.earlier:
            result.go_on_from(self.earlier)
        attacked = {row["dataset"] for row in self.earlier.rows} if self.earlier else set()
        unsure = [dataset for dataset in datasets if dataset.name not in attacked]
        result.spared = {each.name: why for each in unsure if (why := not_needed(self.runner, self.cell, each))}
        search = CellSearch(self.runner, self.cell, self.checkpoint, datasets, self.on_work)
        for dataset, current, passing in self._passes(datasets, search):
            if dataset.name in result.spared:
                self.on_work(self.cell.attack.name, len(dataset.photos) * current.work)
                continue
            searches = any(trial.searches for trial in current.trials)
            units = passing.units()
            todo = {unit: photos for unit, photos in units.items() if not self._is_done(unit)}
            if already := sum(passing.work_of(*each) for each in units.items() if each[0] not in todo):
                self.on_work(self.cell.attack.name, already)
            if searches:
                search.before(dataset, current, todo)
            for unit, record in passing.records(todo):
                if self.saver:
                    record["saved"] = self.saver.take()
                self.checkpoint.record(unit, record)
                self.keep()
                if searches:
                    search.after(dataset, current, passing, unit, todo)
                self.on_unit()
            if searches:
                result.searched[dataset.name] = search.of(dataset.name).told
            variants = map(current.variant_of, current.trials)
            rows = self.earlier.rows_of(dataset, variants) if self.earlier else []
            result.add(dataset, current.variant, [self.checkpoint.done[unit] for unit in units], rows)
        if not result.rows and not result.spared:
            image, reason = next(item for images in result.excluded.values() for item in images.items())
            raise DataError(f"no image gave a row; {image}: {reason}")
        return result

    def _is_done(self, unit: str) -> bool:
        """Tells whether the checkpoint has a unit, and the images that it saved are still those that were written."""
        record = self.checkpoint.done.get(unit)
        return record is not None and (self.saver is None or self.saver.holds(record["saved"]))

    def keep(self) -> None:
        """Copies the checkpoint to the store, unless that was done a short while ago."""
        self.runner.sync.copy(self.place, self.checkpoint.path)

    def _passes(self, datasets: list[Dataset], search: CellSearch) -> Iterator[tuple[Dataset, Pass, PassRun]]:
        """Yields the passes over the data sets, each for images or for clips."""
        cell, runner = self.cell, self.runner
        defended = zip(cell.settings.defences, cell.defended(), strict=True)
        assessors = {name: runner.defended_as(entry) for name, entry in defended}
        at = Workplace(
            runner, cell, assessors, self.saver, self.rule, self.on_work, self.checkpoint, self.keep, search.of
        )
        open_pass = PASSES[cell.metric.kind]
        for dataset, current in self._plan(datasets):
            new = self.earlier.new_in(dataset) if self.earlier else dataset
            yield dataset, current, open_pass(at, new, current)

    def _plan(self, datasets: list[Dataset]) -> Iterator[tuple[Dataset, Pass]]:
        """Yields the passes over the data sets; for saved images, over those that the folder has of each setting."""
        settings = self.cell.settings
        if isinstance(self.cell.attack, SavedEntry):
            yield from self.cell.attack.passes()
            return
        attacks = attack_variants(self.cell.attack, settings)
        for dataset in datasets:
            distortions = distortions_of(self.runner.entry, dataset, settings)
            for current in attack_passes(self.cell, attacks, distortions, self.patterns):
                yield dataset, current


def _ordered(dataset: Dataset, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Returns the rows of one pass, in file order within each budget, pattern, amplitude and defence."""
    order = [*(photo.name for photo in dataset.photos), *dataset.clips]
    settings: dict[tuple[str, ...], dict[str, dict[str, str]]] = {}
    for row in rows:
        setting = (row["variant"], row["train_dataset"], row["amplitude"], row["defence"])
        settings.setdefault(setting, {})[row["image"]] = row
    return [group[name] for group in settings.values() for name in order if name in group]
