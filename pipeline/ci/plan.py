"""Planning: which cells of a preset this pipeline runs, and why each is run or not. No torch, no entry imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import NO_CLIPS, Cell, Decision, clear_key, is_universal
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.fit import Fit, fits_of
from metric_robustness.pipeline.cells.settings import settings_of
from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.ci.estimates import RESERVE, Estimates
from metric_robustness.pipeline.ci.inventory import Inventory
from metric_robustness.pipeline.config import Preset, Runner
from metric_robustness.pipeline.store import cells as stored
from metric_robustness.pipeline.store.store import Place, RefusedError, Store

Action = Literal["run", "done", "skipped", "failed", "waiting"]


@dataclass(frozen=True)
class Scope:
    """The cells that a plan decides about."""

    name: str  # of the preset
    preset: Preset
    pairs: list[tuple[Entry, Entry]]  # metrics and attacks, all that the tables show
    may_run: set[tuple[str, str]]  # the names of the pairs that this pipeline may run; the others wait


def scope_of(name: str, preset: Preset, metrics: str = "", attacks: str = "", *, hold: bool = False) -> Scope:
    """Returns the cells of a preset.

    Args:
        name: The preset's name.
        preset: The preset.
        metrics: The metrics that may be run: names with commas, or all; empty for the preset's.
        attacks: The attacks that may be run, likewise.
        hold: Run nothing: all cells wait.

    Raises:
        BenchError: If a name is unknown.
    """
    own = {folder: preset.entries(folder) for folder in ("metrics", "attacks")}
    chosen = {
        folder: preset.entries(folder, names) if names else own[folder]
        for folder, names in (("metrics", metrics), ("attacks", attacks))
    }
    shown = {  # by name, so that the tables also keep the cells that this pipeline does not run
        folder: {entry.name: entry for entry in [*own[folder], *chosen[folder]]}.values() for folder in own
    }
    pairs = list(product(shown["metrics"], shown["attacks"]))
    may_run = {(metric.name, attack.name) for metric, attack in product(chosen["metrics"], chosen["attacks"])}
    return Scope(name, preset, pairs, set() if hold else may_run)


@dataclass(frozen=True)
class Capacity:
    """What one pipeline can run."""

    runners: Mapping[str, Runner]  # the kinds of GPUs by their runners' tags
    jobs: int  # at most

    @property
    def largest(self) -> int:
        """Returns the GB that a job gets on the largest GPU."""
        return max(runner.memory for runner in self.runners.values()) - RESERVE


@dataclass(frozen=True)
class Planned:
    """What happens to a cell, and why."""

    cell: Cell
    action: Action
    reason: str
    seconds: float = 0.0  # estimated, of a cell that is run
    basis: str = ""  # of that estimate, in words
    memory: float = 0.0  # GB of a GPU that its job needs
    seen: str = ""  # when the cell's rows were last made, UTC; empty if never
    fits: tuple[Fit, ...] = ()  # made before the cell, one for each training set whose patterns are missing


@dataclass(frozen=True)
class Plan:
    """All cells of a preset, and the metrics whose clear scores must be computed before their cells."""

    preset: str
    inventory: Inventory
    cells: list[Planned]
    calibrations: list[Entry]  # metrics without clear scores
    estimates: Estimates  # of the seconds of its jobs

    @property
    def to_run(self) -> list[Planned]:
        """Returns the cells that this pipeline runs; those whose rows are oldest stand first."""
        return [planned for planned in self.cells if planned.action == "run"]

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """Returns how many cells there are of each action and reason."""
        return Counter((planned.action, planned.reason) for planned in self.cells)

    @property
    def hours(self) -> float:
        """Returns the estimated GPU hours."""
        fits = (self.estimates.fit(fit).seconds for planned in self.to_run for fit in planned.fits)
        clear = (self.estimates.calibration(metric).seconds for metric in self.calibrations)
        return (sum(planned.seconds for planned in self.to_run) + sum(fits) + sum(clear)) / 3600

    @property
    def bases(self) -> Counter[str]:
        """Returns where the seconds of the cells that are run, and of their fits, come from, and of how many."""
        fits = (self.estimates.fit(fit).basis for planned in self.to_run for fit in planned.fits)
        return Counter([planned.basis for planned in self.to_run]) + Counter(fits)


def make_plan(scope: Scope, inventory: Inventory, store: Store, estimates: Estimates, capacity: Capacity) -> Plan:
    """Decides about every pair of metric and attack.

    Args:
        scope: The pairs, and which of them may be run.
        inventory: The data sets on the runners.
        store: The result store, which holds finished cells.
        estimates: Of what cells take, and what is known of earlier ones.
        capacity: The GPUs, and how many jobs one pipeline holds.

    Raises:
        TransientError: If the store cannot be reached.
    """
    settings, digests, trained_on = settings_of(scope.preset), inventory.digests, inventory.trained_on
    cells = [Cell(metric, attack, digests, settings, trained_on) for metric, attack in scope.pairs]
    impossible = [_impossible(cell, inventory, capacity) for cell in cells]
    open_cells = [cell for cell, found in zip(cells, impossible, strict=True) if found is None]
    stamps = stored.read_stamps(store, open_cells)
    reasons = _reasons([cell for cell in open_cells if stamps[cell.key] is None], store, estimates)
    fits = _missing_fits([cell for cell in open_cells if not _is_done(stamps[cell.key])], store)
    decided = []
    for cell, found in zip(cells, impossible, strict=True):
        past = estimates.past(cell)
        decision = found or _decision(stamps[cell.key], reasons.get(cell.key, ""))
        planned = Planned(cell, decision.action, decision.reason, seen=past.finished if past else "")
        if planned.action == "run" and _pair(cell) not in scope.may_run:
            planned = replace(planned, action="waiting", reason=f"{planned.reason}; not run by this pipeline")
        elif planned.action == "run":
            seconds, basis = estimates.cell(cell)
            memory, missing = estimates.memory(cell), fits.get(cell.key, ())
            planned = replace(planned, seconds=seconds, basis=basis, memory=memory, fits=missing)
        decided.append(planned)
    chosen = _within(_ordered(decided), scope.preset.gpu_hours, capacity.jobs, estimates)
    return Plan(scope.name, inventory, chosen, _calibrations(chosen, inventory, store), estimates)


def _impossible(cell: Cell, inventory: Inventory, capacity: Capacity) -> Decision | None:
    """Returns why no pipeline can run a cell on these runners and their data, or None."""
    if is_universal(cell.attack) and inventory.absent:
        return Decision("skipped", next(iter(inventory.absent.values())))
    if found := cell.impossible():
        return found
    if cell.gpu_memory > capacity.largest:
        needed, largest = cell.gpu_memory, capacity.largest
        return Decision("skipped", f"needs {needed} GB of GPU memory; a job gets {largest} on the largest runner")
    if cell.metric.kind == "video" and not inventory.clips:
        return Decision("skipped", NO_CLIPS)
    return None


def _decision(stamp: Stamp | RefusedError | None, never: str) -> Decision:
    """Returns whether a cell is run, by its stamp in the store; without a stamp, the given reason applies."""
    match stamp:
        case None:
            return Decision("run", never)
        case RefusedError() as error:
            return Decision("run", str(error))
        case Stamp(status="done"):
            return Decision("done", "up to date")
    return Decision("run", f"{stamp.status} last time")


def _is_done(found: Stamp | RefusedError | None) -> bool:
    return isinstance(found, Stamp) and found.status == "done"


def _missing_fits(cells: Iterable[Cell], store: Store) -> dict[str, tuple[Fit, ...]]:
    """Returns, by the cells' keys, one fit for each training set without patterns; it serves all variants."""
    needed = {cell.key: fits_of(cell) for cell in cells}
    there = stored.holds_patterns(store, [fit for fits in needed.values() for fit in fits])
    missing: dict[str, tuple[Fit, ...]] = {}
    for key, fits in needed.items():
        first: dict[str, Fit] = {}
        for fit in fits:
            if not there[fit.key]:
                first.setdefault(fit.train, fit)
        missing[key] = tuple(first.values())
    return missing


def _reasons(cells: list[Cell], store: Store, estimates: Estimates) -> dict[str, str]:
    """Returns, by the cells' keys, why cells that the store lacks are run: what changed since their rows were made."""
    pasts = {cell.key: estimates.past(cell) for cell in cells}
    places = {key: Place("cells", past.key, "stamp.json") for key, past in pasts.items() if past and past.key}
    found = store.read_all(places.values())
    reasons = {}
    for cell in cells:
        content = found.get(places[cell.key]) if cell.key in places else None
        stamp = Stamp.parse(content) if isinstance(content, bytes) else None
        past = pasts[cell.key]
        if stamp:
            reasons[cell.key] = cell.why_stale(stamp)
        elif past and past.finished:
            reasons[cell.key] = "its rows are gone from the store" if past.key == cell.key else "something changed"
        else:
            reasons[cell.key] = "never run"
    return reasons


def _pair(cell: Cell) -> tuple[str, str]:
    return cell.metric.name, cell.attack.name


def _ordered(cells: list[Planned]) -> list[Planned]:
    """Returns the cells in the order of their rows' age, the oldest first; those that failed last time stand last."""
    return sorted(cells, key=lambda each: (each.reason.endswith(" last time"), each.seen, *_pair(each.cell)))


def _within(cells: list[Planned], gpu_hours: float | None, most: int, estimates: Estimates) -> list[Planned]:
    """Returns the cells; those that exceed the GPU hours or the jobs of one pipeline wait."""
    spent, jobs, chosen = 0.0, 0, []
    metrics: set[str] = set()
    for planned in cells:
        if planned.action != "run":
            chosen.append(planned)
            continue
        # The cell's own job, and one for its metric's clear scores unless another cell brings it.
        more = len(planned.fits) + (1 if planned.cell.metric.name in metrics else 2)
        seconds = planned.seconds + sum(estimates.fit(fit).seconds for fit in planned.fits)
        if gpu_hours is not None and spent + seconds > gpu_hours * 3600:
            chosen.append(replace(planned, action="waiting", reason=f"over the {gpu_hours:g} GPU hours of a pipeline"))
        elif jobs + more > most:
            chosen.append(replace(planned, action="waiting", reason=f"over the {most} jobs of a pipeline"))
        else:
            spent, jobs = spent + seconds, jobs + more
            metrics.add(planned.cell.metric.name)
            chosen.append(planned)
    return chosen


def _calibrations(cells: list[Planned], inventory: Inventory, store: Store) -> list[Entry]:
    """Returns the metrics of the cells that are run whose clear scores the store lacks."""
    running = [planned.cell for planned in cells if planned.action == "run"]
    needed = {cell.metric.name: cell for cell in running}
    places: dict[Place, str] = {}
    for name, cell in needed.items():
        distortions = cell.settings.distortions if cell.metric.full_reference else (NONE,)
        for dataset in inventory.digests.values():
            for distortion in distortions:
                places[Place("clear", clear_key(cell.metric, dataset, distortion), "scores")] = name
    there = store.read_all(places)
    missing = {places[place] for place, content in there.items() if not isinstance(content, bytes)}
    return [needed[name].metric for name in sorted(missing)]
