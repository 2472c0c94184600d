"""The passes of a cell: the attack's default and its variants, on every distortion of the images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from torch import Tensor

from attacks.base import Attack, Universal
from defences.base import Defence
from pipeline.catalogue.entry import Entry
from pipeline.cells.cell import Settings
from pipeline.config import Quality
from pipeline.data.dataset import Dataset
from pipeline.engine.batching import one_line
from pipeline.errors import BenchError, DataError, suggestion

Patterns: TypeAlias = Mapping[str, Mapping[str, Tensor]]  # of a universal attack: variant -> training set -> pattern
Tried = TypeVar("Tried", bound="Attack | Defence")


class Trial(NamedTuple):
    """One attack on every image of a pass, a row each."""

    attack: Attack
    train_dataset: str = ""  # of a universal pattern
    amplitude: float | None = None  # of a universal pattern
    saved: Mapping[str, Path] | None = None  # the attacked images by name, of an attack that was run before

    @property
    def setting(self) -> str:
        """Returns what tells the trial from the others of its pass, as part of a path; nothing of a single one."""
        return "" if self.amplitude is None else f"{self.train_dataset}-{self.amplitude:g}"

    @property
    def work(self) -> int:
        """Returns the passes over one image: a gradient counts as two, the final score as one."""
        budget = self.attack.budget()
        return budget.queries + 2 * budget.gradients + 1


class Pass(NamedTuple):
    """One way over the images; a cell has a pass per variant of its attack and distortion of the images."""

    variant: str  # as the rows name it; empty for the default
    jpeg: Quality | None
    trials: tuple[Trial, ...]  # a single one, but for a universal attack

    @property
    def unit(self) -> str:
        """Returns what tells the pass from the others of its cell."""
        return "/".join(filter(None, [self.variant, self.trials[0].setting if len(self.trials) == 1 else ""]))

    @property
    def work(self) -> int:
        """Returns the passes over one image of all trials."""
        return sum(trial.work for trial in self.trials)


def attack_variants(entry: Entry, settings: Settings) -> dict[str, Attack]:
    """Returns the attack with the `--set` values under the empty name, and its variants.

    Raises:
        BenchError: If an override names no field of the attack, or its value is of another type.
        DataError: If the attack or a variant of it cannot be built.
    """
    try:
        default = overridden(entry.load()(), entry.name, settings)
        variants: dict[str, Attack] = {"": default}
        if settings.variants and not settings.overrides:
            variants |= {name: replace(default, **changes) for name, changes in default.variants.items()}
        for attack in variants.values():
            attack.budget()  # asked for before anything is run; here it may fail
    except BenchError:
        raise
    except Exception as error:  # whatever a contributor's code raises costs only its own cells
        raise DataError(f"{entry.name} cannot be built: {one_line(error)}") from error
    return variants


def attack_passes(
    attacks: Mapping[str, Attack], settings: Settings, full_reference: bool, patterns: Patterns | None = None
) -> Iterator[Pass]:
    """Yields the ways an attack is run: default and variants, each on every distortion of the images.

    Args:
        attacks: What `attack_variants` returns.
        settings: The cell's settings.
        full_reference: Whether the metric is one; only then the images are distorted.
        patterns: Of a universal attack, the fitted patterns.
    """
    changed = [f"{name}={value}" for name, value in sorted(settings.overrides.items())]
    if settings.dtype != "float32":
        changed.append(f"dtype={settings.dtype}")
    if settings.codec:
        changed.append(f"codec={settings.codec}")
    for index, jpeg in enumerate(settings.jpeg if full_reference else (None,)):
        for name, attack in attacks.items():
            parts = [name, *changed, f"jpeg={jpeg}" if index else ""]
            yield Pass("+".join(filter(None, parts)), jpeg, _trials(attack, (patterns or {}).get(name, {})))


def passes_over(dataset: Dataset, passes: Sequence[Pass], settings: Settings) -> Sequence[Pass]:
    """Returns the passes that differ on a data set: images that are distorted already are not distorted any further."""
    return [current for current in passes if not dataset.distorted or current.jpeg in {None, settings.jpeg[0]}]


def _trials(attack: Attack, patterns: Mapping[str, Tensor]) -> tuple[Trial, ...]:
    """Returns the attack itself, or a universal attack's patterns at every amplitude."""
    if not isinstance(attack, Universal):
        return (Trial(attack),)
    return tuple(
        Trial(attack.at(amplitude, pattern), train, amplitude)
        for train, pattern in patterns.items()
        for amplitude in attack.amplitudes
    )


def attack_settings(entry: Entry, settings: Settings) -> dict[str, dict[str, Any]]:
    """Returns the fields of an attack as run, and of its variants, for the stamp."""
    attack = overridden(entry.load()(), entry.name, settings)
    return {"settings": _fields(attack), "variants": {name: dict(changes) for name, changes in attack.variants.items()}}


def overridden(attack: Tried, name: str, settings: Settings) -> Tried:
    """Returns the attack, or defence, with the `--set` values, each read as the type of the field's default."""
    known = _fields(attack)
    changes = {}
    for field, text in settings.overrides.items():
        if field not in known:
            raise BenchError(f"{name} has no setting {field!r}: {suggestion(field, known)}")
        try:
            changes[field] = _value(text, type(known[field]))
        except (ValueError, ZeroDivisionError):
            kind = type(known[field]).__name__
            raise BenchError(f"{name}'s {field} must be of type {kind}; got {text!r}: change --set") from None
    return replace(attack, **changes)


def _fields(attack: Attack | Defence) -> dict[str, Any]:
    """Returns the settings of an attack; a universal one's pattern is none."""
    return {field.name: getattr(attack, field.name) for field in fields(attack) if field.name != "pattern"}


def _value(text: str, kind: type) -> Any:
    if kind is bool:
        return {"true": True, "false": False}[text.lower()] if text.lower() in {"true", "false"} else int("no")
    if kind is tuple:
        return tuple(_value(part, float) for part in text.split(","))
    if kind is float and "/" in text:
        top, bottom = text.split("/")
        return float(top) / float(bottom)
    return kind(text)
