"""Loads the attacks of a run before anything else runs: one that does not load costs only its own cells."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.engine.attack.settings import attack_settings, attack_variants
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.isolation.watch import Watched, watch
from metric_robustness.pipeline.isolation.worker import Send


class Tried(NamedTuple):
    """What became of loading an attack."""

    name: str
    problem: str  # why it cannot be built; empty if it can
    facts: dict[str, dict[str, Any]]  # its settings as run, and its variants, for stamps


def try_attacks(attacks: Sequence[Entry], settings: Settings, *, isolated: bool) -> dict[str, Tried]:
    """Returns what became of each attack, by name.

    Args:
        attacks: The attacks.
        settings: What `--set` changes of them.
        isolated: Whether they are loaded in a process of their own.

    Raises:
        BenchError: If a setting does not exist.
    """
    found: dict[str, Tried] = {}

    def on_tried(tried: Tried) -> None:
        found[tried.name] = tried

    def left() -> Watched | None:
        waiting = [attack for attack in attacks if attack.name not in found]
        return Watched(partial(_try_each, waiting, settings), on_tried, on_lost) if waiting else None

    def on_lost(reason: str) -> Watched | None:
        name = next(attack.name for attack in attacks if attack.name not in found)
        on_tried(Tried(name, f"attack {name} {reason}", {}))
        return left()

    if not isolated:
        _try_each(attacks, settings, on_tried)
    elif first := left():
        watch([first])
    return found


def _try_each(attacks: Sequence[Entry], settings: Settings, send: Send) -> None:
    for attack in attacks:
        send(_tried(attack, settings))


def _tried(attack: Entry, settings: Settings) -> Tried:
    if attack.problem:
        return Tried(attack.name, attack.problem, {})
    try:
        attack_variants(attack, settings)
        return Tried(attack.name, "", attack_settings(attack, settings))
    except DataError as error:
        return Tried(attack.name, str(error), {})
