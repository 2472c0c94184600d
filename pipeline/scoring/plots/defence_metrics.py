"""Heat map of the mean shift over attacks: metrics by defences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from metric_robustness.pipeline.scoring.plots.defence_panels import PANEL, SETTINGS, beside_none, best_first, lines_of
from metric_robustness.pipeline.scoring.plots.layout.heat import from_zero, heat_maps


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws one heat map per setting, each with its best defence first."""
    lines = lines_of(names, folder)
    tables = {}
    for setting, words in SETTINGS.items():
        chosen = beside_none(lines, setting)
        if len(chosen):
            table = chosen.pivot_table(index="defence", columns="metric", values="shift", aggfunc="mean")
            tables[words] = best_first(table).T
    return heat_maps(tables, width, "mean shift, in parts of the range", from_zero, least=PANEL)
