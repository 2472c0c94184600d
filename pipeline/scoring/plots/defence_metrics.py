"""Heat map of the mean shift over attacks: metrics by defences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from metric_robustness.pipeline.scoring.plots.defence_panels import SETTINGS, beside_none, best_first, lines_of, shaded


def draw(names: Sequence[str], folder: Path) -> Figure:
    """Draws one heat map per setting, the best defence first."""
    lines = lines_of(names, folder)
    tables = {
        setting: beside_none(lines, setting).pivot_table(
            index="metric", columns="defence", values="shift", aggfunc="mean"
        )
        for setting in SETTINGS
    }
    order = best_first(lines)
    shown = [[table.reindex(columns=order) for table in tables.values()]]
    return shaded(shown, [""], "mean shift, in parts of the range")
