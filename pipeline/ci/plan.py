"""Planning: which cells of a preset this pipeline runs, and why each is run or not. No torch, no entry imported."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.catalogue.entry import Entry
from pipeline.cells.cell import NO_CLIPS, Cell, Decision, clear_key, is_universal, settings_of
from pipeline.cells.fit import Fit, fits_of
from pipeline.cells.stamp import Stamp
from pipeline.ci.history import History, Past
from pipeline.ci.inventory import Inventory
from pipeline.config import Preset, Runner
from pipeline.store import cells as stored
from pipeline.store.store import Place, RefusedError, Store

STARTUP = 60.0  # seconds of a job before it computes: image, checkout, imports
GUESS = {"light": 600.0, "heavy": 3600.0}  # seconds of a cell that was never run, by the metric's cost
FIT = {"light": 1800.0, "heavy": 14400.0}  # seconds of a fit, which no history knows, by the metric's cost
CALIBRATION = 300.0  # seconds, at most, of one pass over the clear images
RESERVE = 2  # GB of a GPU that the driver and the libraries take
CPU = "cpu"  # the runner of a pipeline without GPUs: jobs without a tag

Action = Literal["run", "done", "skipped", "failed", "waiting"]


@dataclass(frozen=True)
class Planned:
    """What happens to a cell, and why."""

    cell: Cell
    action: Action
    reason: str
    seconds: float = 0.0  # estimated, for those that are run
    memory: float = 0.0  # GB of a GPU that its job needs
    seen: str = ""  # when the pair's rows were last made; empty if never
    fits: tuple[Fit, ...] = ()  # to be made before, one for each training set whose patterns are missing


@dataclass(frozen=True)
class Plan:
    """All cells of a preset, and the clear scores that are still to be computed before some of them."""

    preset: str
    inventory: Inventory
    cells: list[Planned]
    calibrations: list[Entry]  # metrics

    @property
    def to_run(self) -> list[Planned]:
        """Returns the cells that this pipeline runs, those not seen for longest first."""
        return [planned for planned in self.cells if planned.action == "run"]

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """Returns how many cells there are of each action and reason."""
        return Counter((planned.action, planned.reason) for planned in self.cells)

    @property
    def hours(self) -> float:
        """Returns the estimated GPU hours."""
        fits = (fit for planned in self.to_run for fit in planned.fits)
        return (sum(planned.seconds for planned in self.to_run) + sum(map(fit_seconds, fits))) / 3600


def make_plan(
    preset_name: str,
    preset: Preset,
    pairs: Iterable[tuple[Entry, Entry]],
    *,
    asked: Container[tuple[str, str]],
    inventory: Inventory,
    store: Store,
    history: History,
    runners: Mapping[str, Runner],
    most: int,
) -> Plan:
    """Decides about every pair of metric and attack.

    Args:
        preset_name: The preset's name.
        preset: What is run, and the GPU hours that may be spent.
        pairs: Metrics and attacks, all that the tables show.
        asked: The names of those that may be run.
        inventory: The data sets on the runners.
        store: Where finished cells lie.
        history: What cells took before.
        runners: The kinds of GPUs.
        most: How many jobs one pipeline holds.

    Raises:
        TransientError: If the store cannot be reached.
    """
    settings = settings_of(preset)
    cells = [Cell(metric, attack, inventory.digests, settings, inventory.trained_on) for metric, attack in pairs]
    largest = max(runner.memory for runner in runners.values()) - RESERVE
    impossible = {
        id(cell): found
        for cell in cells
        if (
            found := _untrained(cell, inventory)
            or cell.impossible()
            or _too_large(cell, largest)
            or _without_clips(cell, inventory)
        )
    }
    open_cells = [cell for cell in cells if id(cell) not in impossible]
    stamps = stored.read_stamps(store, open_cells)
    reasons = _reasons([cell for cell in open_cells if stamps[cell.key] is None], store, history)
    fits = _missing_fits([cell for cell in open_cells if not _is_done(stamps[cell.key])], store)
    decided = []
    for cell in cells:
        past = history.get(_rows_of(cell))
        seen = past.finished if past else ""
        if found := impossible.get(id(cell)):
            decided.append(Planned(cell, found.action, found.reason, seen=seen))
            continue
        match stamps[cell.key]:
            case None:
                reason = reasons[cell.key]
            case RefusedError() as error:
                reason = str(error)
            case stamp if stamp.status == "done":
                decided.append(Planned(cell, "done", "up to date", seen=seen))
                continue
            case stamp:
                reason = f"{stamp.status} last time"
        if _pair(cell) not in asked:
            decided.append(Planned(cell, "waiting", f"{reason}; not run by this pipeline", seen=seen))
            continue
        seconds = STARTUP + _estimate(cell, inventory.images, history)
        memory = _memory(cell, past)
        decided.append(Planned(cell, "run", reason, seconds, memory, seen, fits.get(cell.key, ())))
    chosen = _within(_ordered(decided), preset.gpu_hours, most)
    return Plan(preset_name, inventory, chosen, _calibrations(chosen, inventory, store))


def _untrained(cell: Cell, inventory: Inventory) -> Decision | None:
    if not is_universal(cell.attack) or not inventory.absent:
        return None
    return Decision("skipped", next(iter(inventory.absent.values())))


def _is_done(found: Stamp | RefusedError | None) -> bool:
    return isinstance(found, Stamp) and found.status == "done"


def _missing_fits(cells: Iterable[Cell], store: Store) -> dict[str, tuple[Fit, ...]]:
    """Returns, by the cells' keys, a fit for each training set with missing patterns: one job makes all variants'."""
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


def _memory(cell: Cell, past: Past | None) -> float:
    """Returns the GB that a job needs: as declared, or less where less was measured.

    More may be measured, since the engine fills a large GPU with a large batch; on a smaller one it takes a smaller.
    """
    declared = float(cell.gpu_memory)
    return min(declared, past.gpu_memory + RESERVE) if past and past.gpu_memory else declared


def _too_large(cell: Cell, largest: int) -> Decision | None:
    needed = cell.gpu_memory
    if needed <= largest:
        return None
    return Decision("skipped", f"needs {needed} GB of GPU memory; a job gets {largest} on the largest runner")


def _reasons(cells: list[Cell], store: Store, history: History) -> dict[str, str]:
    """Returns why cells that are not in the store are run: what changed since their pair's rows were made."""
    pasts = {cell.key: history.get(_rows_of(cell)) for cell in cells}
    places = {key: Place("cells", past.key, "stamp.json") for key, past in pasts.items() if past and past.key}
    found = store.read_all(places.values())
    reasons = {}
    for cell in cells:
        content = found.get(places[cell.key]) if cell.key in places else None
        stamp = stored.parse_stamp(content) if isinstance(content, bytes) else None
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


def _rows_of(cell: Cell) -> tuple[str, str]:
    """Returns what the history knows a cell by: beside the bare cell of a pair there may be one behind defences."""
    return cell.metric.name, cell.label


def _estimate(cell: Cell, images: int, history: History) -> float:
    """Returns the seconds that a cell will take: as last time, else as the metric's other cells, else a guess."""
    own = history.get(_rows_of(cell))
    if own and own.seconds:
        return _for(own, images)
    others = [past for (metric, _), past in history.items() if metric == cell.metric.name and past.seconds]
    if others:
        return statistics.median(_for(past, images) for past in others)
    return GUESS[cell.metric.fields.get("cost", "light")]


def fit_seconds(fit: Fit) -> float:
    """Returns the seconds that a fit's job is expected to take."""
    return STARTUP + FIT[fit.metric.fields.get("cost", "light")]


def _for(past: Past, images: int) -> float:
    return past.seconds * images / past.images if past.images else past.seconds


def _ordered(cells: list[Planned]) -> list[Planned]:
    """Returns the cells not seen for longest first; those that failed last time wait behind all others."""
    return sorted(cells, key=lambda each: (each.reason.endswith(" last time"), each.seen, *_pair(each.cell)))


def _within(cells: list[Planned], gpu_hours: float | None, most: int) -> list[Planned]:
    """Lets those wait that are beyond the GPU hours or the jobs of one pipeline."""
    spent, jobs, chosen = 0.0, 0, []
    metrics: set[str] = set()
    for planned in cells:
        if planned.action != "run":
            chosen.append(planned)
            continue
        more = len(planned.fits) + (1 if planned.cell.metric.name in metrics else 2)  # with the calibration
        seconds = planned.seconds + sum(map(fit_seconds, planned.fits))
        if gpu_hours is not None and spent + seconds > gpu_hours * 3600:
            chosen.append(replace(planned, action="waiting", reason=f"over the {gpu_hours:g} GPU hours of a pipeline"))
        elif jobs + more > most:
            chosen.append(replace(planned, action="waiting", reason=f"over the {most} jobs of a pipeline"))
        else:
            spent, jobs = spent + seconds, jobs + more
            metrics.add(planned.cell.metric.name)
            chosen.append(planned)
    return chosen


def _without_clips(cell: Cell, inventory: Inventory) -> Decision | None:
    return Decision("skipped", NO_CLIPS) if cell.metric.kind == "video" and not inventory.clips else None


def _calibrations(cells: list[Planned], inventory: Inventory, store: Store) -> list[Entry]:
    """Returns the metrics whose clear scores are needed by this pipeline's cells and not in the store."""
    running = [planned.cell for planned in cells if planned.action == "run"]
    needed = {cell.metric.name: cell for cell in running}
    places: dict[Place, str] = {}
    for name, cell in needed.items():
        qualities = cell.settings.jpeg if cell.metric.full_reference else (None,)
        for dataset in inventory.digests.values():
            for quality in qualities:
                places[Place("clear", clear_key(cell.metric, dataset, quality), "scores")] = name
    there = store.read_all(places)
    missing = {places[place] for place, content in there.items() if not isinstance(content, bytes)}
    return [needed[name].metric for name in sorted(missing)]
