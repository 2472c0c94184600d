"""Heat map of SROCC with people's opinions: defences by attacks, and the clear images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.defence_panels import lines_of, maps


def draw(names: Sequence[str], folder: Path) -> Figure:
    """Draws a row of panels per metric and data set, the best defence first."""
    lines = lines_of(names, folder)
    if lines["srocc_clear"].isna().all():
        raise BenchError("there must be images that people rated to draw; got none: run with --dataset iqa:CSV")
    return maps(lines, "srocc_attacked", "srocc_clear", "SROCC with opinions")
