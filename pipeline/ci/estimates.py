"""How many seconds and how much GPU memory a job is expected to take."""

from __future__ import annotations

import statistics

from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.fit import Fit
from metric_robustness.pipeline.ci.history import History, Past

STARTUP = 60.0  # seconds of a job before it computes: image, checkout, imports
GUESS = {"light": 600.0, "heavy": 3600.0}  # seconds of a cell that was never run, by the metric's cost
FIT = {"light": 1800.0, "heavy": 14400.0}  # seconds of a fit, which no history records, by the metric's cost
CALIBRATION = 300.0  # seconds, at most, of one pass over the clear images
RESERVE = 2  # GB of a GPU that the driver and the libraries take


def known_of(cell: Cell, history: History) -> Past | None:
    """Returns what the history knows of a cell, whose label tells a bare cell from one with defences."""
    return history.get((cell.metric.name, cell.label))


def cell_seconds(cell: Cell, images: int, history: History) -> float:
    """Returns the seconds of a cell's job: as last time, else as the metric's other cells took, else a guess."""
    own = known_of(cell, history)
    if own and own.seconds:
        return STARTUP + _scaled(own, images)
    others = [past for (metric, _), past in history.items() if metric == cell.metric.name and past.seconds]
    if others:
        return STARTUP + statistics.median(_scaled(past, images) for past in others)
    return STARTUP + GUESS[cell.metric.fields.get("cost", "light")]


def fit_seconds(fit: Fit) -> float:
    """Returns the seconds of a fit's job."""
    return STARTUP + FIT[fit.metric.fields.get("cost", "light")]


def cell_memory(cell: Cell, history: History) -> float:
    """Returns the GB of GPU memory that a cell's job needs: as declared, or less where less was measured.

    A larger measured value does not count: the engine fills a large GPU with large batches, and on a smaller GPU it
    takes smaller ones.
    """
    declared, past = float(cell.gpu_memory), known_of(cell, history)
    return min(declared, past.gpu_memory + RESERVE) if past and past.gpu_memory else declared


def _scaled(past: Past, images: int) -> float:
    """Returns the seconds that another number of images would have taken."""
    return past.seconds * images / past.images if past.images else past.seconds
