"""Heat map of SROCC with people's opinions: defences by attacks, and the clear images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.defence_panels import PANEL, lines_of, maps
from metric_robustness.pipeline.scoring.plots.layout.heat import from_zero, heat_maps


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a panel per metric, data set and setting, each with its best defence first."""
    lines = lines_of(names, folder)
    if lines["srocc_clear"].isna().all():
        raise BenchError("there must be images that people rated to draw; got none: run with --dataset iqa:CSV")
    tables = maps(lines, "srocc_attacked", "srocc_clear")
    return heat_maps(tables, width, "SROCC with opinions", from_zero, least=PANEL)
