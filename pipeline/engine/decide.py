"""Decides which cells a run has, what happens to each, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from metric_robustness.attacks.base import Universal
from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import FEWEST_IN_ORDER, NO_CLIPS, Cell, Decision, is_targeted, is_universal
from metric_robustness.pipeline.cells.finished import require_kept, with_what_is_there
from metric_robustness.pipeline.cells.fit import fits_of, require_patterns_kept
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import DatasetFacts, Stamp
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.engine.attack.passes import attack_passes, distortions_of
from metric_robustness.pipeline.engine.attack.settings import attack_settings, attack_variants
from metric_robustness.pipeline.engine.attack.tried import try_attacks
from metric_robustness.pipeline.engine.earlier import Earlier, Parts, earlier_of
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.saved.manifest import is_whole
from metric_robustness.pipeline.engine.saved.read import read_saved
from metric_robustness.pipeline.engine.selection import Selection
from metric_robustness.pipeline.engine.universal.patterns import open_training_set
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.store.sync import Sync
from metric_robustness.pipeline.terminal import err
from metric_robustness.pipeline.weights.provision import missing, provide

ADDED = "images are added"


@dataclass(frozen=True)
class Inputs:
    """The attacks and images that a selection names, opened once.

    Attributes:
        attacks: The attacks.
        datasets: The images.
        train: The training sets, if an attack is fitted.
        absent: Why one of the benchmark's own training sets is not here; empty where all are.
        attack_facts: By attack: its settings as run, and its variants; nothing of one that cannot be built.
        parts: Data sets of finished rows in the run folder that are a part of those here.
    """

    attacks: list[Entry]
    datasets: list[Dataset]
    train: list[Dataset]
    absent: str = ""
    attack_facts: Mapping[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    parts: Parts = field(default_factory=dict)

    @cached_property
    def clips(self) -> bool:
        """Tells whether there are clips among the images."""
        return any(dataset.clips for dataset in self.datasets)

    @property
    def facts(self) -> list[DatasetFacts]:
        """Returns what stamps say of the images."""
        return list(map(dataset_facts, self.datasets))

    def called(self, names: Mapping[str, Set[str]]) -> Inputs:
        """Returns the same images under the names that a folder's rows have for them, by their digests.

        A data set is known by its files: its folder may have been renamed since.
        """
        return replace(self, datasets=_called(self.datasets, names), train=_called(self.train, names))

    def train_facts(self, attack: Entry) -> list[DatasetFacts]:
        """Returns what stamps say of the training sets; nothing for an attack that is not fitted."""
        return list(map(dataset_facts, self.train)) if is_universal(attack) else []


def dataset_facts(dataset: Dataset) -> DatasetFacts:
    """Returns what stamps say of a data set."""
    return DatasetFacts(
        name=dataset.name,
        digest=dataset.digest,
        images=dataset.asked,
        clips=dataset.asked_clips,
        excluded=dataset.excluded,
        remarks=dataset.remarks,
        unread=dataset.unread,
    )


def _called(datasets: list[Dataset], names: Mapping[str, Set[str]]) -> list[Dataset]:
    found = list(datasets)
    for index, dataset in enumerate(datasets):
        known, taken = names.get(dataset.digest, set()), {each.name for each in found}
        if known and dataset.name not in known and not known & taken:
            found[index] = replace(dataset, name=min(known))
            err.print(
                f"{dataset.name} holds the images that the rows call {min(known)}: they keep that name",
                markup=False,
                soft_wrap=True,
            )
    return found


def open_inputs(selection: Selection, settings: Settings, *, isolated: bool) -> Inputs:
    """Opens what a selection names; saved images bring their attacks and data sets along.

    Args:
        selection: What to run.
        settings: What the rows depend on besides code and data.
        isolated: Whether attacks are loaded in a process of their own.

    Raises:
        BenchError: If a name is unknown, or a setting does not exist.
        DataError: If a data set cannot be used.
    """
    if selection.from_images is not None:
        saved, datasets = read_saved(selection.from_images)
        return Inputs(
            list(saved), datasets, [], attack_facts={each.name: attack_settings(each, settings) for each in saved}
        )
    named = [lookup.find("attacks", name) for name in dict.fromkeys(selection.attacks)]
    tried = try_attacks(named, settings, isolated=isolated)
    attacks = [replace(attack, problem=tried[attack.name].problem) for attack in named]
    facts = {name: each.facts for name, each in tried.items() if not each.problem}
    datasets = selection.opened()
    if not any(map(is_universal, attacks)):
        return Inputs(attacks, datasets, [], attack_facts=facts)
    train, absent = _training_sets(selection)
    return Inputs(attacks, datasets, train, absent, facts)


def _training_sets(selection: Selection) -> tuple[list[Dataset], str]:
    """Returns the training sets, and why one of the benchmark's own is not here.

    Raises:
        BenchError: If a folder cannot be used, or two have one name.
    """
    found: dict[str, Dataset] = {}
    for name in selection.train:
        try:
            dataset = open_training_set(name, selection.train_limit)
        except BenchError as error:
            if name not in config.load().datasets:
                raise
            return [], str(error)
        if dataset.name in found:
            raise BenchError(f"training sets must have different names; got {dataset.name} twice: rename a folder")
        found[dataset.name] = dataset
    return list(found.values()), ""


def cells_of(metrics: list[Entry], inputs: Inputs, settings: Settings) -> list[Cell]:
    """Returns the pairs of metrics and attacks, metric by metric."""
    digests = {dataset.name: dataset.digest for dataset in inputs.datasets}
    trained_on = {dataset.name: dataset.digest for dataset in inputs.train}
    return [
        Cell(metric, attack, digests, settings, trained_on if is_universal(attack) else {})
        for metric in metrics
        for attack in inputs.attacks
    ]


def beside(cells: list[Cell], there: Mapping[Path, Stamp], machine: Machine, key: str, parts: Parts) -> list[Cell]:
    """Returns the cells as they are run in a folder that holds finished rows: a rerun adds.

    Args:
        cells: As they are asked for.
        there: What lies finished in the folder.
        machine: Says whether finished rows may be replaced.
        key: What the one cell was planned as; with one it is run as it is.
        parts: Data sets of the finished rows that have more images now.

    Raises:
        BenchError: If they would replace rows of other images or settings.
    """
    if machine.replace:
        return cells
    require_kept(cells, there, machine.out, parts=parts)
    require_patterns_kept(chain.from_iterable(map(fits_of, cells)), machine.out)
    return cells if key else [with_what_is_there(cell, there, machine.out) for cell in cells]


def decide(cell: Cell, inputs: Inputs, machine: Machine, sync: Sync) -> Decision:
    """Returns what happens to a cell, and why; copies a finished cell from the result store.

    Raises:
        TransientError: If the store cannot be reached.
    """
    if is_universal(cell.attack) and inputs.absent:
        return Decision("skipped", inputs.absent)
    if cell.metric.kind == "video" and not inputs.clips:
        return Decision("skipped", NO_CLIPS)
    decision = cell.decide(machine.out)
    if decision.action == "run" and is_targeted(cell.attack) and (few := _too_few(cell.metric, inputs.datasets)):
        return Decision("skipped", few)
    if decision.action == "done" and machine.save_images and not _are_saved(cell, machine.out):
        decision = Decision("run", "its images were not saved, or are not those that were")
    if decision.action == "run" and not machine.save_images and sync.restore(cell, machine.out):
        return Decision("done", "in the store")
    if decision.action == "done":
        sync.offer(cell, machine.out)
    if decision.action == "run" and rows_to_go_on_from(cell, inputs, machine):
        decision = Decision("run", ADDED)
    if decision.action == "run":
        for entry in (cell.metric, *cell.needed(), *cell.defended()):
            if reason := missing(entry) or provide(entry):
                return Decision("skipped", reason)
    return decision


def _too_few(metric: Entry, datasets: list[Dataset]) -> str:
    """Returns why no data set has an order that could be changed; nothing if one may have."""
    clips = metric.kind == "video"
    most = max(len(dataset.clips if clips else dataset.photos) for dataset in datasets)
    if most >= FEWEST_IN_ORDER:
        return ""
    return f"a set must have {FEWEST_IN_ORDER} {'clips' if clips else 'images'} to be ordered; got {most}: take more"


def rows_to_go_on_from(cell: Cell, inputs: Inputs, machine: Machine) -> Earlier | None:
    """Returns a cell's finished rows, if it has more images than they are about and differs in nothing else."""
    if machine.replace or (machine.save_images and not _are_saved(cell, machine.out)):
        return None
    return earlier_of(cell, inputs.datasets, inputs.parts, machine.out)


def _are_saved(cell: Cell, out: Path) -> bool:
    """Tells whether a cell's images are saved; a video metric's rows are about clips, so no manifest names them."""
    folder = cell.images(out)
    return folder.is_dir() if cell.metric.kind == "video" else is_whole(folder)


def require_key(cells: list[Cell], key: str) -> None:
    """Raises DataError if the cell has another key: its planner had other code or data than this machine."""
    if key and [cell.key for cell in cells] != [key]:
        raise DataError(
            f"the cell must have the planned key {key}; got {', '.join(cell.key for cell in cells)}: the data or the "
            "checkout of this machine differ from the planner's; compare what doctor prints"
        )


def work_ahead(cells: list[Cell], inputs: Inputs) -> dict[tuple[str, str], int]:
    """Returns how many passes over an image lie ahead, by metric and attack."""
    work: Counter[tuple[str, str]] = Counter()
    for cell in cells:
        place = cell.metric.name, cell.attack.name
        attacks = attack_variants(cell.attack, cell.settings)
        stand_ins = {name: {dataset.name: torch.zeros(()) for dataset in inputs.train} for name in attacks}
        for dataset in inputs.datasets:
            distortions = distortions_of(cell.metric, dataset, cell.settings)
            due = attack_passes(cell, attacks, distortions, stand_ins)
            work[place] += len(dataset.photos) * sum(current.work for current in due)
        for attack in attacks.values():
            if isinstance(attack, Universal):
                sizes = [len(dataset.photos) for dataset in inputs.train]
                work[place] += 3 * sum(size * attack.passes(size) for size in sizes)
    return dict(work)
