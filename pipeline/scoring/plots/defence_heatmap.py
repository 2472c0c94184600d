"""Heat map of gains: defences by attacks, and what they cost on clear images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from pipeline.scoring.plots.defence_panels import lines_of, maps


def draw(names: Sequence[str], folder: Path) -> Figure:
    """Draws a row of panels per metric and data set, the best defence first."""
    lines = lines_of(names, folder)
    return maps(lines, "gain_of_range", "clean_cost_of_range", "gain, in parts of the range")
