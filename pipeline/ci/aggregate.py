"""From the store to the tables: gathers the cells of a plan, names those that are missing, writes the tables."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.finished import finished, require_kept
from metric_robustness.pipeline.cells.fit import fits_of
from metric_robustness.pipeline.cells.proof import proof_of
from metric_robustness.pipeline.cells.speed import Speeds, by_place, speeds_to_csv
from metric_robustness.pipeline.cells.stamp import DatasetFacts, Stamp, Status, stamp_of
from metric_robustness.pipeline.ci.estimates import Experience
from metric_robustness.pipeline.ci.fit_history import FitHistory, PastFit, fits_to_csv
from metric_robustness.pipeline.ci.history import Past, to_csv
from metric_robustness.pipeline.ci.plan_file import PlanFile, PlannedCell, cell_of
from metric_robustness.pipeline.ci.spending import Spendings
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import file_digest, write_atomically
from metric_robustness.pipeline.scoring.board.leaderboard import FEW, Leaderboard
from metric_robustness.pipeline.scoring.read.cells import find_cells, read_cell
from metric_robustness.pipeline.scoring.scores.ranges import Measured, MeasuredOn, as_csv, line_of
from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.site.build import write_site
from metric_robustness.pipeline.store import cells as stored
from metric_robustness.pipeline.store.store import RefusedError, Store

LATE = "its job left nothing: see the job's log"


class Gathered(NamedTuple):
    """The results of a plan's cells."""

    board: Leaderboard
    history: list[Past]

    @property
    def failed(self) -> list[Past]:
        """Returns the cells that should have rows and have none."""
        return [past for past in self.history if past.status == "failed"]


def aggregate(plan: PlanFile, store: Store, before: Experience, rows: Path, tables: Path) -> Gathered:
    """Gathers the cells of a plan and writes the tables.

    It writes the run folder `rows`, and below `tables` the leaderboard, scores.csv, cells.csv, those of fits.csv,
    speeds.csv and ranges.csv that anything is known for, rows.zip, junit.xml, SHA256SUMS and the pages that show all
    this, from index.html on.

    Args:
        plan: The plan.
        store: The result store that holds its cells.
        before: What was known before this pipeline.
        rows: An output folder as `run` would have filled it.
        tables: Where the tables go.

    Raises:
        BenchError: If `rows` holds finished rows of other images or settings, or cells that the plan lacks.
        DataError: If the checkout is not the one that the plan was made from, or no cell has ended.
        TransientError: If the store cannot be reached.
    """
    cells = {planned.key: cell_of(planned, plan) for planned in plan.cells}
    require_kept(list(cells.values()), finished(rows), rows, "choose another --rows")
    stamps = stored.read_stamps(store, cells.values())
    history, spendings = [], Spendings()
    for planned in plan.cells:
        cell = cells[planned.key]
        stamp = _restore(cell, planned, stamps[planned.key], store=store, rows=rows, plan=plan)
        known = before.cells.get((cell.metric.name, cell.label))
        history.append(_past(cell, stamp, planned, known, spendings))
    _require_no_others(cells.values(), rows)
    if measured := _ranges(rows):
        write_atomically(tables / "ranges.csv", as_csv(measured))
    board = write_tables([rows], tables, tables / "ranges.csv")
    write_atomically(tables / "cells.csv", to_csv(history))
    if fits := _fits(cells.values(), store, before.fits):
        write_atomically(tables / "fits.csv", fits_to_csv(fits.values()))
    if speeds := before.speeds | _speeds(cells.values(), store):
        write_atomically(tables / "speeds.csv", speeds_to_csv(speeds.values()))
    write_atomically(tables / "junit.xml", to_junit(history))
    write_site(board, rows, tables, tables / "ranges.csv")
    write_atomically(tables / "SHA256SUMS", _sums(tables))
    return Gathered(board, history)


def _require_no_others(cells: Iterable[Cell], rows: Path) -> None:
    """Raises BenchError if a folder holds cells of an earlier plan: the tables would show entries that are gone."""
    own = {cell.csv(rows) for cell in cells}
    if others := [f"{csv.parent.name} {csv.stem}" for csv in find_cells([rows]) if csv not in own]:
        named = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise BenchError(f"{rows} holds cells that the plan lacks ({named}): choose another --rows, or remove it")


def _restore(
    cell: Cell, planned: PlannedCell, found: Stamp | RefusedError | None, *, store: Store, rows: Path, plan: PlanFile
) -> Stamp:
    """Writes a cell to the run folder, with its rows or with why there are none; returns its stamp."""
    reason = LATE if planned.action == "run" else planned.reason
    if isinstance(found, RefusedError):
        reason = str(found)
    elif found is not None and planned.action in {"run", "done", "waiting"}:
        try:
            stored.restore_cell(store, cell, found, rows)
        except RefusedError as error:
            reason = str(error)
            # Without this mark the next plan would trust the stamp.
            stored.write_cell(store, cell, found.model_copy(update={"status": "failed", "reason": reason}), None)
        else:
            return found
    there = proof_of(cell.csv(rows))
    if there.stamp and there.holds and there.stamp.key == cell.key:
        return there.stamp  # the folder holds the very rows that the store lacks
    images = [
        DatasetFacts(name=name, digest=held.digest, images=held.images)
        for name, held in plan.inventory.datasets.items()
    ]
    status: Status = "skipped" if planned.action in {"skipped", "waiting"} else "failed"
    stamp = stamp_of(cell, status, reason, datasets=images, preset=plan.preset)
    write_atomically(cell.csv(rows).with_suffix(".json"), stamp.to_json())
    return stamp


def _past(cell: Cell, stamp: Stamp, planned: PlannedCell, before: Past | None, spendings: Spendings) -> Past:
    """Returns how a cell ended; a cell without rows keeps what the history knows of its last ones."""
    if stamp.status != "done":
        status = "waiting" if planned.action == "waiting" else stamp.status
        known = before or Past(cell.metric.name, cell.label, status, "", 0, 0, 0, "", "", "")
        return known._replace(status=status, reason=" ".join(stamp.reason.split()))
    return Past(
        metric=cell.metric.name,
        attack=cell.label,
        status=stamp.status,
        reason="",
        passes=sum(each.images for each in stamp.datasets) * spendings.of(cell).passes,
        seconds=sum(stamp.seconds.values()),
        gpu_memory=stamp.gpu_memory,
        device=stamp.machine.get("device", ""),
        finished=stamp.finished,
        key=cell.key,
    )


def _fits(cells: Iterable[Cell], store: Store, before: FitHistory) -> FitHistory:
    """Returns what fits took: those of a plan's cells in the store, and those before them."""
    fits = {fit.key: fit for cell in cells for fit in fits_of(cell)}
    found = [PastFit.of(fits[key], stamp) for key, stamp in stored.read_fit_stamps(store, fits.values()).items()]
    return {**before, **{past[:4]: past for past in found}}


def _speeds(cells: Iterable[Cell], store: Store) -> Speeds:
    """Returns what the jobs that scored clear images measured of the metrics and attacks of a plan."""
    entries = {(entry.folder, entry.name): entry for cell in cells for entry in (cell.metric, cell.attack)}
    return by_place(stored.read_speeds(store, entries.values(), ["cpu", *config.load().runners]))


def _ranges(rows: Path) -> list[Measured]:
    """Returns the range of each no-reference metric's clear scores, on the first data set that has enough images."""
    measured: dict[str, Measured] = {}
    for path in find_cells([rows]):
        stamp = Stamp.read(path.with_suffix(".json"))
        if stamp is None or stamp.metric.name in measured or stamp.rows < FEW or not _rates_alone(stamp.metric.name):
            continue
        found = read_cell(path).rows
        for dataset in stamp.datasets:
            clear = found[(found["variant"] == "") & (found["dataset"] == dataset.name)]["clear"]
            if len(clear) >= FEW and clear.min() < clear.max():
                ends = float(clear.min()), float(clear.max())
                source = MeasuredOn(len(clear), dataset.name, dataset.digest, stamp.finished[:10])
                measured[stamp.metric.name] = line_of(stamp.metric.name, ends, stamp.metric.score_range, source)
                break
    return list(measured.values())


def _rates_alone(metric: str) -> bool:
    return not lookup.find("metrics", metric).full_reference


def _sums(folder: Path) -> str:
    """Returns the sha256 of the files beside index.html, not of those in subfolders, as `sha256sum -c` reads it."""
    files = sorted(file for file in folder.glob("[!.]*") if file.is_file() and file.name != "SHA256SUMS")
    return "".join(f"{file_digest(file)}  {file.name}\n" for file in files)


UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # characters that XML cannot hold


def to_junit(cells: Sequence[Past]) -> str:
    """Returns one test case per cell: failed and skipped ones with their reason, seconds as recorded."""
    failures = sum(cell.status == "failed" for cell in cells)
    skipped = sum(cell.status in {"skipped", "waiting"} for cell in cells)
    suite = ET.Element("testsuite", name="cells", tests=str(len(cells)), failures=str(failures), skipped=str(skipped))
    for cell in cells:
        case = ET.SubElement(suite, "testcase", classname=cell.metric, name=cell.attack, time=f"{cell.seconds:.3f}")
        reason = UNPRINTABLE.sub("?", cell.reason)
        if cell.status == "failed":
            ET.SubElement(case, "failure", message=reason).text = reason
        elif cell.status != "done":
            ET.SubElement(case, "skipped", message=reason)
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
