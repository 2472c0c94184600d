"""Which objects of the result store a plan and the published tables need: those that `store prune` never removes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell, clear_key, probe_key
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.fit import fits_of
from metric_robustness.pipeline.ci.history import History
from metric_robustness.pipeline.ci.plan_file import PlanFile, cell_of
from metric_robustness.pipeline.store.store import Kind

Wanted = set[tuple[Kind, str]]  # kinds and keys
OPEN = {"run", "waiting"}  # what happens to cells whose unfinished work will be continued


def wanted_by(plan: PlanFile, history: History) -> Wanted:
    """Returns what a plan and the published tables need.

    Args:
        plan: The plan: its cells, done or not, their patterns, and the clear scores that they are measured by.
        history: The cells of the published tables.

    Raises:
        DataError: If the checkout is not the one that the plan was made from.
    """
    cells = {planned: cell_of(planned, plan) for planned in plan.cells}
    fits = {planned: fits_of(cell) for planned, cell in cells.items()}
    wanted: Wanted = {("cells", past.key) for past in history.values() if past.key}
    for planned, cell in cells.items():
        wanted |= {("cells", cell.key), *(("fits", fit.key) for fit in fits[planned])}
        if planned.action in OPEN:
            wanted |= {("unfinished", cell.key), *(("unfinished", fit.key) for fit in fits[planned])}
    return wanted | set(_clear(cells.values(), plan))


def _clear(cells: Iterable[Cell], plan: PlanFile) -> Iterable[tuple[Kind, str]]:
    """Yields the clear scores and probes of all metrics that a cell may ask: one too many costs little."""
    metrics: dict[str, Entry] = dict(lookup.entries("metrics"))
    distortions = {NONE}
    for cell in cells:
        metrics |= {entry.name: entry for entry in (cell.metric, *cell.needed(), *cell.defended())}
        distortions |= set(cell.settings.distortions)
    for metric, digest, distortion in product(metrics.values(), plan.inventory.digests.values(), distortions):
        yield "clear", clear_key(metric, digest, distortion)
        yield "clear", probe_key(metric, digest, distortion)
