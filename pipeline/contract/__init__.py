"""What every entry must do. The command `check` and the tests both use it, so a new file needs no new test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.contract.base import Check, failed, skipped
from metric_robustness.pipeline.engine.device import make_deterministic, open_device
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.isolation.watch import LostError, call
from metric_robustness.pipeline.weights.provision import missing, provide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Check", "check_alone", "check_entry"]

STAYS = "leave its process to the benchmark"
LOADS = "be one file with a title, one class and literal metadata, that loads"


def check_alone(entry: Entry, device: str = "cpu") -> list[Check]:
    """Returns what `check_entry` does, from a process of its own: one that ends without a verdict breaks a promise.

    Args:
        entry: The metric, attack or defence.
        device: cpu or cuda.

    Raises:
        BenchError: If this machine has no such device.
    """
    try:
        return call(f"the check of {entry.name}", check_entry, entry, device)
    except LostError as error:
        return [failed(STAYS, str(error))]


def check_entry(entry: Entry, device: str = "cpu") -> list[Check]:
    """Returns each promise of the contract, with what the check saw; only the first where the entry does not load.

    Args:
        entry: The metric, attack or defence.
        device: cpu or cuda.

    Raises:
        BenchError: If this machine has no such device.
    """
    from metric_robustness.pipeline.contract.attack import check_attack  # noqa: PLC0415
    from metric_robustness.pipeline.contract.defence import check_defence  # noqa: PLC0415
    from metric_robustness.pipeline.contract.metric import check_metric  # noqa: PLC0415

    if entry.problem:
        return [failed(LOADS, entry.problem)]
    if reason := missing(entry) or provide(entry):
        try:
            entry.load()
        except BenchError as error:
            return [failed(LOADS, str(error))]
        return [Check(LOADS, "passed", entry.title), skipped("be checked with its weights", reason)]
    checks: dict[str, Callable[..., Iterator[Check]]] = {
        "metrics": check_metric,
        "attacks": check_attack,
        "defences": check_defence,
    }
    where = open_device(device)
    make_deterministic()
    try:
        return [Check(LOADS, "passed", entry.title), *checks[entry.folder](entry, where)]
    except BenchError as error:
        return [failed(LOADS, str(error))]
