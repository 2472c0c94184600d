"""An attack's settings: its fields with what `--set` changes, each value read as the type of the field's default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from metric_robustness.attacks.base import Attack, Search
from metric_robustness.defences.base import Defence
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.row import budget_variant
from metric_robustness.pipeline.cells.settings import FOUND, LEVELS, Settings
from metric_robustness.pipeline.engine.batching import one_line
from metric_robustness.pipeline.errors import BenchError, DataError, suggestion

Tried = TypeVar("Tried", bound="Attack | Defence")
TRUTH = {"true": True, "false": False}
COUNTS = {"batch", "crop"}  # of a universal attack


def attack_variants(entry: Entry, settings: Settings) -> dict[str, Attack]:
    """Returns the attack with the `--set` values under the empty name, and its variants.

    Raises:
        BenchError: If an override names no field of the attack, or its value is of another type.
        DataError: If the attack or a variant of it cannot be built.
    """
    try:
        default = overridden(entry.load()(), entry.name, settings)
        variants: dict[str, Attack] = {"": default}
        known = {name: changes for name, changes in default.variants.items() if settings.takes(name)}
        variants |= {name: replace(default, **changes) for name, changes in known.items()}
        for attack in variants.values():
            spent = attack.budget()  # an attack whose budget fails must do so here, before anything runs
            if settings.overrides and min(spent) < 0:
                raise BenchError(
                    f"{entry.name} must spend 0 queries and gradients or more; got {spent.queries} and "
                    f"{spent.gradients}: change --set"
                )
    except BenchError:
        raise
    except Exception as error:  # whatever a contributor's code raises costs only its own cells
        raise DataError(f"{entry.name} cannot be built: {one_line(error)}") from error
    return variants


def attack_settings(entry: Entry, settings: Settings) -> dict[str, dict[str, Any]]:
    """Returns the fields of an attack as run, and of its variants, for the stamp."""
    attack = overridden(entry.load()(), entry.name, settings)
    return {"settings": _fields(attack), "variants": {name: dict(changes) for name, changes in attack.variants.items()}}


def budget_settings(entry: Entry, settings: Settings, budgets: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Returns the fields of an attack within each smaller budget, by the variant of its rows."""
    attack = overridden(entry.load()(), entry.name, settings)
    return {
        budget_variant(budget): _fields(attack.within(budget / LEVELS))
        for budget in (budgets if isinstance(attack, Search) else ())
    }


def overridden(attack: Tried, name: str, settings: Settings) -> Tried:
    """Returns the attack, or defence, with the `--set` values.

    Raises:
        BenchError: If there is no such setting, or its value cannot be used.
    """
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
    require_usable(name, attack, changes)
    return replace(attack, **changes)


def require_usable(name: str, attack: Tried, changes: Mapping[str, Any]) -> None:
    """Checks the values that a user sets where a wrong one would run, and do something else than its name says.

    Raises:
        BenchError: If eps is no part of a channel's range, such as a number of levels; if a setting is none of its
            choices, such as a goal of "up"; if a count is below 1, or an amplitude negative.
    """
    if not 0 <= (eps := changes.get("eps", 0)) <= 1:
        raise BenchError(f"{name}'s eps must be from 0 to 1, in parts of a channel; got {eps:g}: write {eps:g}/255")
    for field, value in changes.items():
        if (choices := _choices(attack, field)) and value not in choices:
            raise BenchError(f"{name}'s {field} must be {' or '.join(map(str, choices))}; got {value!r}: change it")
        if field in COUNTS and value < 1:
            raise BenchError(f"{name}'s {field} must be at least 1; got {value}: change it")
    if not all(part >= 0 for part in changes.get("amplitudes", ())):  # NaN, too
        raise BenchError(f"{name}'s amplitudes must not be negative; got {changes['amplitudes']}: change them")


def _choices(attack: Attack | Defence, field: str) -> tuple[Any, ...]:
    """Returns the values that a setting may have; nothing if its type lists none, or cannot be resolved."""
    try:
        kind = get_type_hints(type(attack))[field]
    except Exception:  # whatever a contributor's annotations raise  # noqa: BLE001
        return ()
    return get_args(kind) if get_origin(kind) is Literal else ()


def _fields(attack: Attack | Defence) -> dict[str, Any]:
    """Returns the settings of an attack; a universal one's pattern is none, nor is where a search begins."""
    return {field.name: getattr(attack, field.name) for field in fields(attack) if field.name not in FOUND}


def _value(text: str, kind: type) -> Any:
    """Returns a text as a value of a type; raises ValueError or ZeroDivisionError where it is none."""
    if kind is bool:
        if text.lower() not in TRUTH:
            raise ValueError(text)
        return TRUTH[text.lower()]
    if kind is tuple:
        return tuple(_value(part, float) for part in text.split(","))
    if kind is float and "/" in text:
        top, bottom = text.split("/")
        return float(top) / float(bottom)
    return kind(text)
