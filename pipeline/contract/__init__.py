"""What every entry must do. The command `check` and the tests both use it, so a new file needs no new test."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import suppress

import torch

from metric_robustness.pipeline import places, tokens
from metric_robustness.pipeline.catalogue.entry import INSTALL, Entry
from metric_robustness.pipeline.catalogue.syntax import imports, parse
from metric_robustness.pipeline.contract.advice import advice
from metric_robustness.pipeline.contract.attack import check_attack
from metric_robustness.pipeline.contract.base import QUIET, BrokenPromiseError, Check, failed, require_quiet, skipped
from metric_robustness.pipeline.contract.clip import ClipCheck
from metric_robustness.pipeline.contract.defence import check_defence
from metric_robustness.pipeline.contract.metric import MetricCheck
from metric_robustness.pipeline.contract.state import RANDOM, SETTINGS, Watch
from metric_robustness.pipeline.engine.device import make_deterministic, open_device
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.isolation.watch import LostError, call
from metric_robustness.pipeline.weights.provision import missing, provide

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
    """Returns each promise of the contract, with what the check saw.

    What a broken promise would break with it is not looked at, and counted.

    Args:
        entry: The metric, attack or defence.
        device: cpu or cuda.

    Raises:
        BenchError: If this machine has no such device.
    """
    if entry.problem:
        return [failed(LOADS, entry.problem)]
    lost = [weight for weight in entry.missing_weights() if weight.startswith("weights/") and not entry.network.trained]
    if lost:
        return [failed(LOADS, missing(entry))]
    reason = missing(entry) or provide(entry)
    where = open_device(device)
    make_deterministic()
    try:
        load_quietly(entry)
        passed = Check(LOADS, "passed", entry.title)
        return [passed, skipped("be checked with its weights", reason)] if reason else [passed, *_checks(entry, where)]
    except BrokenPromiseError as broken:
        return [failed(QUIET, str(broken))]
    except BenchError as error:
        return [failed(LOADS, _with_advice(error))]


def _with_advice(error: BenchError) -> str:
    """Returns why an entry cannot be loaded or built, with what to change where the message does not say it."""
    cause = error.__cause__
    says = isinstance(cause, ValueError) and ": " in str(cause)  # one of our adapters
    return str(error) if cause is None or says or str(error).endswith(INSTALL) else f"{error}: {advice(cause)}"


def load_quietly(entry: Entry) -> None:
    """Imports the file of an entry.

    Raises:
        BrokenPromiseError: If that changes what other entries share.
        DataError: If it does not import.
    """
    if entry.bare is None:
        for module in _libraries(entry):  # first, since what they change is not the entry's doing
            with suppress(Exception, SystemExit):
                importlib.import_module(module)
    tokens.hide()
    watch = Watch(SETTINGS, RANDOM)
    entry.load()
    require_quiet(watch, "as it is imported,")


def _libraries(entry: Entry) -> list[str]:
    """Returns the modules that an entry's file imports, without those of ours that are entries."""
    tree = parse((entry.root or places.CODE) / entry.file)
    return [
        module for module, _ in imports(tree) if not module.startswith(f"{places.PACKAGE}.{entry.folder}.{entry.name}")
    ]


def _checks(entry: Entry, device: torch.device) -> Iterator[Check]:
    match entry.folder:
        case "attacks":
            return check_attack(entry, device)
        case "defences":
            return check_defence(entry, device)
    look = ClipCheck(entry, device) if entry.kind == "video" else MetricCheck(entry, device)
    return look.results()
