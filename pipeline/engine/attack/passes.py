"""The passes of a cell: the attack's default and its variants, on every distortion of the images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from torch import Tensor

from metric_robustness.attacks.base import Attack, Universal
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.distortion import NONE, Distortion
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

    @property
    def setting(self) -> str:
        """Returns the part of a path that keeps the trials of a pass apart; nothing for a single trial."""
        return "" if self.amplitude is None else f"{self.train_dataset}-{self.amplitude:g}"

    @property
    def work(self) -> int:
        """Returns the passes over one image: a gradient counts as two, the final score as one."""
        budget = self.attack.budget()
        return budget.queries + 2 * budget.gradients + 1


class Pass(NamedTuple):
    """One way over the images; a cell has a pass per variant of its attack and distortion of the images."""

    variant: str  # as the rows name it; empty for the default
    distortion: Distortion
    trials: tuple[Trial, ...]  # a single one, unless the attack is universal

    @property
    def unit(self) -> str:
        """Returns the name that keeps the pass apart from the others of its cell."""
        return "/".join(filter(None, [self.variant, self.trials[0].setting if len(self.trials) == 1 else ""]))

    @property
    def folder(self) -> str:
        """Returns the folder of its attacked images below the cell's."""
        return self.variant or "default"

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
    name: str,
    attacks: Mapping[str, Attack],
    distortions: tuple[Distortion, ...],
    settings: Settings,
    patterns: Patterns | None = None,
) -> Iterator[Pass]:
    """Yields the ways an attack is run: default and variants, each on every distortion of the images.

    Args:
        name: The attack's name.
        attacks: What `attack_variants` returns.
        distortions: Of the images; the first one is the default.
        settings: The cell's settings.
        patterns: Of a universal attack, the fitted patterns.
    """
    for index, distortion in enumerate(distortions):
        for variant, attack in attacks.items():
            parts = [variant, *settings.changes, f"jpeg={distortion.setting}" if index else ""]
            trials = _trials(name, attack, (patterns or {}).get(variant, {}))
            yield Pass("+".join(filter(None, parts)), distortion, trials)


def _trials(name: str, attack: Attack, patterns: Mapping[str, Tensor]) -> tuple[Trial, ...]:
    """Returns the attack itself, or a universal attack's patterns at every amplitude."""
    if not isinstance(attack, Universal):
        return (Trial(name, attack),)
    return tuple(
        Trial(name, attack.at(amplitude, pattern), train, amplitude)
        for train, pattern in patterns.items()
        for amplitude in attack.amplitudes
    )
