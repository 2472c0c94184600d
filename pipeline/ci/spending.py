"""How many passes a cell or a fit takes, as its attack's file declares them. No torch, no entry imported."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

from metric_robustness.pipeline.catalogue.budget import budget, default_of
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell, is_universal
from metric_robustness.pipeline.cells.fit import Fit

QUERIES, GRADIENTS = 10, 10  # of an attack whose budget cannot be read: those of I-FGSM
AMPLITUDES = (0.2, 0.4, 0.8)  # of a universal attack
GRADIENT = 3  # queries that a query with its gradient is worth: a backward pass costs about two forward passes


class Spending(NamedTuple):
    """What is done to one image, all variants, distortions and budgets of a cell together."""

    queries: int  # those with a gradient among them
    gradients: int
    trials: int  # attacks, each of which ends with an attacked image
    # How many times the attack's default settings this is: its own arithmetic grows with its passes.
    runs: float
    known: bool = True  # whether the attack's file says so; False: a guess

    def and_then(self, other: Spending, times: int = 1) -> Spending:
        """Returns the work with other work after it, so many times."""
        return Spending(
            self.queries + times * other.queries,
            self.gradients + times * other.gradients,
            self.trials + times * other.trials,
            self.runs + times * other.runs,
            self.known and other.known,
        )

    @property
    def passes(self) -> int:
        """Returns the queries that it is worth, the score of each attacked image included."""
        return self.queries + (GRADIENT - 1) * self.gradients + self.trials


class Spendings:
    """The work of cells; all cells of an attack that have the same passes are reckoned once."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], Spending] = {}

    def of(self, cell: Cell) -> Spending:
        """Returns the work on one image of a cell."""
        distortions = len(cell.settings.distortions) if cell.metric.full_reference else 1
        attack, settings = cell.attack, cell.settings
        key = attack.name, attack.fingerprint, settings.variants, cell.budgets, distortions, len(cell.train)
        if key not in self.known:
            self.known[key] = _work(cell, distortions)
        return self.known[key]


def _work(cell: Cell, distortions: int) -> Spending:
    attack, settings = cell.attack, cell.settings
    variants = {name: changes for name, changes in attack.fields.get("variants", {}).items() if settings.takes(name)}
    universal = is_universal(attack)
    times = distortions * (len(cell.train) * len(_setting(attack, "amplitudes", AMPLITUDES)) if universal else 1)
    total = Spending(0, 0, 0, 0)
    for changes in ({}, *variants.values()):
        total = total.and_then(trial(attack, changes), times)
    for smaller in cell.budgets:
        if smaller / 255 < float(_setting(attack, "eps", 10 / 255)):
            total = total.and_then(trial(attack, attack.fields["narrower"]))
    return total


def trial(attack: Entry, changes: Mapping[str, Any] | None = None) -> Spending:
    """Returns the work of one attack on one image, with settings of a variant."""
    queries, gradients, known = _spent(attack, changes)
    default = sum(_spent(attack, None)[:2])
    return Spending(queries, gradients, 1, (queries + gradients) / default if default else 1, known)


def crops_of(fit: Fit, images: int) -> int:
    """Returns how many crops a fit goes over, all its steps together: `Universal.passes` says the same."""
    defaults = {"epochs": 5, "least_steps": 100, "batch": 8}
    epochs, least, batch = (int(_setting(fit.attack, name, default)) for name, default in defaults.items())
    return images * max(epochs, ceil(least / ceil(images / max(batch, 1)))) if images else 0


def side_of(fit: Fit) -> int:
    """Returns the side of a fit's crops, in pixels."""
    return int(_setting(fit.attack, "crop", 256))


def variants_of(fit: Fit) -> int:
    """Returns how many patterns the job of a fit makes: those of all variants of the attack."""
    return 1 + sum(fit.settings.takes(name) for name in fit.attack.fields.get("variants", {}))


def _spent(attack: Entry, changes: Mapping[str, Any] | None) -> tuple[int, int, bool]:
    """Returns queries and gradients, and whether the attack's file says them."""
    if is_universal(attack):
        return 0, 0, True  # its fit has spent all
    try:
        found = budget(attack, changes)
        return int(found["queries"]), int(found["gradients"]), True
    except (OSError, KeyError, ValueError, StopIteration):
        return QUERIES, 0 if attack.fields.get("access") == "black" else GRADIENTS, False


def _setting(attack: Entry, name: str, default: Any) -> Any:
    """Returns the default of a setting as the attack's file writes it; `default` where that is no plain value."""
    found = default_of(attack, name)
    return default if found is None else found
