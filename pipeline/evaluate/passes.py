"""The passes of a cell: the attack's default, its variants, and every JPEG quality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from typing import Any, NamedTuple

from attacks.base import Attack
from pipeline.catalog import Entry, suggestion
from pipeline.cells import Settings
from pipeline.errors import BenchError, DataError
from pipeline.evaluate.batching import one_line


class Pass(NamedTuple):
    """One way an attack is run within a cell; a cell has a pass per variant and JPEG quality."""

    variant: str  # as the rows name it; empty for the default
    attack: Attack
    jpeg: int | None

    @property
    def work(self) -> int:
        """Returns the passes over one image: a gradient counts as two, the final score as one."""
        budget = self.attack.budget()
        return budget.queries + 2 * budget.gradients + 1


def attack_passes(entry: Entry, settings: Settings, full_reference: bool) -> Iterator[Pass]:
    """Yields the ways an attack is run: default and variants, each at every JPEG quality.

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
    changed = [f"{name}={value}" for name, value in sorted(settings.overrides.items())]
    if settings.dtype != "float32":
        changed.append(f"dtype={settings.dtype}")
    for index, jpeg in enumerate(settings.jpeg if full_reference else (None,)):
        for name, attack in variants.items():
            parts = [name, *changed, f"jpeg={jpeg}" if index else ""]
            yield Pass("+".join(filter(None, parts)), attack, jpeg)


def attack_settings(entry: Entry, settings: Settings) -> dict[str, dict[str, Any]]:
    """Returns the fields of an attack as run, and of its variants, for the stamp."""
    attack = overridden(entry.load()(), entry.name, settings)
    return {"settings": asdict(attack), "variants": {name: dict(changes) for name, changes in attack.variants.items()}}


def overridden(attack: Attack, name: str, settings: Settings) -> Attack:
    """Returns the attack with the `--set` values, each read as the type of the field's default."""
    known = {field.name: getattr(attack, field.name) for field in fields(attack)}
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


def _value(text: str, kind: type) -> Any:
    if kind is bool:
        return {"true": True, "false": False}[text.lower()] if text.lower() in {"true", "false"} else int("no")
    if kind is float and "/" in text:
        top, bottom = text.split("/")
        return float(top) / float(bottom)
    return kind(text)
