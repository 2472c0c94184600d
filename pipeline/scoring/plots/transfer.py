"""Heat map of absolute gains of images that were made on one metric and scored by another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError, suggestion
from metric_robustness.pipeline.scoring.plots.layout.heat import heat_maps
from metric_robustness.pipeline.scoring.plots.layout.signed import around_zero

PANEL = 2.6  # inches that a matrix must have


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a matrix per data set, attack and variant; its diagonal is what an attack reaches on its own metric."""
    tables = {
        f"{dataset}, {attack}{f':{variant}' if variant else ''}": own.pivot(
            index="source", columns="target", values="gain"
        )
        for (dataset, attack, variant), own in _lines(names, folder).groupby(["dataset", "attack", "variant"])
    }
    return heat_maps(
        tables, width, "absolute gain; made on a row's metric, scored by a column's", around_zero, least=PANEL
    )


def _lines(names: Sequence[str], folder: Path) -> pd.DataFrame:
    """Returns the lines of transfer.csv between the named metrics, all if none is named."""
    path = folder / "transfer.csv"
    if not path.is_file():
        raise BenchError(
            f"{folder} must hold transfer.csv; got none: run python -m pipeline transfer first, or name a --from"
        )
    lines = pd.read_csv(path, keep_default_na=False, na_values={"gain": [""]})
    known = dict.fromkeys(sorted({*lines["source"], *lines["target"]}))
    for name in names:
        if name not in known:
            raise BenchError(f"no metric of transfer.csv is named {name!r}: {suggestion(name, known)}")
    found = lines[lines["source"].isin(names or known) & lines["target"].isin(names or known)]
    if found.empty:
        raise BenchError(f"the metrics must have scored each other's images; {', '.join(names)} have not: name others")
    return found
