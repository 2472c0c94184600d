"""The passes of a cell: the attack's default and its variants, on every distortion of the images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

from torch import Tensor

from metric_robustness.attacks.base import Attack, Images, Search, Universal
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE, Distortion
from metric_robustness.pipeline.cells.row import budget_variant
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import Dataset

Patterns: TypeAlias = Mapping[str, Mapping[str, Tensor]]  # of a universal attack: variant -> training set -> pattern


class Trial(NamedTuple):
    """One attack on every image of a pass, a row each."""

    name: str  # the attack's, which seeds its noise
    attack: Attack
    train_dataset: str = ""  # of a universal pattern
    amplitude: float | None = None  # of a universal pattern
    saved: Mapping[str, Path] | None = None  # the attacked images by name, of an attack that ran earlier
    budget: str = ""  # eps=4/255, of a search that begins where the trial before it ended

    @property
    def searches(self) -> bool:
        """Tells whether the attack asks for scores, now."""
        return self.saved is None and self.attack.budget().queries > 0

    @property
    def setting(self) -> str:
        """Returns the part of a path that keeps the trials of a pass apart; nothing for a single trial."""
        return "" if self.amplitude is None else f"{self.train_dataset}-{self.amplitude:g}"

    def after(self, found: Images) -> Trial:
        """Returns the trial as it begins at what the one before it found; unchanged, unless it has a smaller budget."""
        if not self.budget or not isinstance(self.attack, Search):
            return self
        return self._replace(attack=replace(self.attack, start=found))

    @property
    def work(self) -> int:
        """Returns the passes over one image: a gradient counts as two, the final score as one."""
        budget = self.attack.budget()
        return budget.queries + 2 * budget.gradients + 1


class Pass(NamedTuple):
    """One way over the images; a cell has a pass per variant of its attack and distortion of the images."""

    variant: str  # as the rows name it; empty for the default
    distortion: Distortion
    trials: tuple[Trial, ...]  # several of a universal attack, and of a search within several budgets

    @property
    def unit(self) -> str:
        """Returns the name that keeps the pass apart from the others of its cell."""
        return "/".join(filter(None, [self.variant, self.trials[0].setting if len(self.trials) == 1 else ""]))

    def variant_of(self, trial: Trial) -> str:
        """Returns the variant as the rows of a trial name it."""
        return trial.budget or self.variant

    def folder(self, trial: Trial) -> str:
        """Returns the folder of a trial's attacked images below the cell's."""
        return "/".join(filter(None, [self.variant_of(trial) or "default", trial.setting]))

    @property
    def work(self) -> int:
        """Returns the passes over one image of all trials."""
        return sum(trial.work for trial in self.trials)


def distortions_of(metric: Entry, dataset: Dataset, settings: Settings) -> tuple[Distortion, ...]:
    """Returns the distortions that a metric meets on a data set: images that are already distorted get no further one.

    Args:
        metric: Only a full-reference metric scores distorted images.
        dataset: The images.
        settings: The cell's settings.
    """
    if not metric.full_reference:
        return (NONE,)
    return settings.distortions[:1] if dataset.distorted else settings.distortions


def attack_passes(
    cell: Cell, attacks: Mapping[str, Attack], distortions: tuple[Distortion, ...], patterns: Patterns | None = None
) -> Iterator[Pass]:
    """Yields the ways an attack is run: default and variants, each on every distortion of the images.

    Args:
        cell: Says which attack, and within which budgets.
        attacks: What `attack_variants` returns.
        distortions: Of the images; the first one is the default.
        patterns: Of a universal attack, the fitted patterns.
    """
    for index, distortion in enumerate(distortions):
        for variant, attack in attacks.items():
            parts = [variant, *cell.settings.changes, f"jpeg={distortion.setting}" if index else ""]
            changed = "+".join(filter(None, parts))
            trials = _trials(cell.attack.name, attack, (patterns or {}).get(variant, {}))
            yield Pass(changed, distortion, trials if changed else (*trials, *_narrower(cell, attack)))


def _narrower(cell: Cell, attack: Attack) -> Iterator[Trial]:
    """Yields a search within each smaller budget, largest first; each begins at what the one before it found."""
    for budget in sorted(cell.budgets, reverse=True):
        if isinstance(attack, Search) and budget / 255 < attack.eps:
            yield Trial(cell.attack.name, attack.within(budget / 255), budget=budget_variant(budget))


def _trials(name: str, attack: Attack, patterns: Mapping[str, Tensor]) -> tuple[Trial, ...]:
    """Returns the attack itself, or a universal attack's patterns at every amplitude."""
    if not isinstance(attack, Universal):
        return (Trial(name, attack),)
    return tuple(
        Trial(name, attack.at(amplitude, pattern), train, amplitude)
        for train, pattern in patterns.items()
        for amplitude in attack.amplitudes
    )
