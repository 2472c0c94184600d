"""The rows of a run folder as one table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from metric_robustness.pipeline.scoring.read.cells import read_cells


def rows_of(folder: Path, metric: str) -> pd.DataFrame:
    """Returns the rows of a metric: `attack` first, then the columns of its CSV files, with their 6 digits.

    Rows with a `defence` are of images that attacked the bare metric, as the metric behind that defence scores them.
    """
    cells = [cell for cell in read_cells([folder]) if cell.metric == metric]
    parts = [part.assign(attack=cell.attack) for cell in cells for part in (cell.rows, cell.defended) if len(part)]
    table = pd.concat(parts, ignore_index=True)
    return table[["attack", *(column for column in table.columns if column != "attack")]]
