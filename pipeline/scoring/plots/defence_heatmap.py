"""Heat map of shifts: defences by attacks, and the shift of clear images by each defence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from metric_robustness.pipeline.scoring.plots.defence_panels import PANEL, lines_of, maps
from metric_robustness.pipeline.scoring.plots.layout.heat import from_zero, heat_maps


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a panel per metric, data set and setting, each with its best defence first."""
    tables = maps(lines_of(names, folder), "shift", "clean_shift")
    return heat_maps(tables, width, "shift, in parts of the range", from_zero, least=PANEL)
