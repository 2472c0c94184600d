"""Heat map of shifts: defences by attacks, and the shift of clear images by each defence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from metric_robustness.pipeline.scoring.plots.defence_panels import lines_of, maps


def draw(names: Sequence[str], folder: Path) -> Figure:
    """Draws a row of panels per metric and data set, the best defence first."""
    lines = lines_of(names, folder)
    return maps(lines, "shift", "clean_shift", "shift, in parts of the range")
