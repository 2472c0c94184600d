"""Heat map of absolute gains: metrics by attacks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from metric_robustness.pipeline.scoring.plots.board_panels import caption, estimate, sections_of
from metric_robustness.pipeline.scoring.plots.layout.heat import heat_maps
from metric_robustness.pipeline.scoring.plots.layout.signed import around_zero
from metric_robustness.pipeline.scoring.tables.board_file import read_board


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a panel per section of the leaderboard, one below another, with one scale of colours around 0."""
    tables, spared = {}, {}
    for section, own in sections_of(read_board(folder), names):
        attacks, title = list(section["attacks"]), caption(section)
        tables[title] = pd.DataFrame(
            [[estimate(metric["attacks"].get(attack))[0] for attack in attacks] for metric in own],
            index=[metric["metric"] for metric in own],
            columns=attacks,
        )
        spared[title] = {
            (i, attacks.index(attack)): "s"
            for i, metric in enumerate(own)
            for attack in metric["spared"]
            if math.isnan(tables[title].loc[metric["metric"], attack])
        }
    notes = {
        "grey:\N{NO-BREAK SPACE}n/a": any(table.isna().to_numpy().any() for table in tables.values()),
        "s:\N{NO-BREAK SPACE}spared": any(spared.values()),
    }
    label = "; ".join(["absolute gain", *(note for note, holds in notes.items() if holds)])
    return heat_maps(tables, width, label, around_zero, least=width, marks=spared)
