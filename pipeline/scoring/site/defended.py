"""Defence heat maps: how far a metric's score stays from that of the clear image when images are purified first.

Shown only where cells hold rows with a defence, of which the attack knew nothing. With metric f, clear image x,
attacked image x' and defence D:

- gain: mean |f(x) - f(D(x'))| over the metric's range; under "clear" mean |f(x) - f(D(x))|, the defence's own cost
- order: the rank correlation (SROCC) of f(x) with f(D(x')), under "clear" with f(D(x))
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.files import file_digest
from pipeline.scoring.robustness import Scale
from pipeline.stamp import Stamp

NONE = "none"  # the bare metric, as a line to compare with
CLEAR = "clear"
SCORES = ["clear", "attacked", "clear_defended", "attacked_defended"]
COLUMNS = ["dataset", "variant", "defence", *SCORES]


@dataclass(frozen=True)
class DefenceMap:
    """A metric's heat maps on one data set: defence -> "clear" or attack -> value; what was not run is not in them."""

    metric: str
    dataset: str
    columns: list[str]
    gain: dict[str, dict[str, float]]  # smallest mean first
    order: dict[str, dict[str, float]]


def defence_maps(stamped: Mapping[Path, Stamp], scales: Mapping[tuple[str, str], Scale]) -> list[DefenceMap]:
    """Returns the maps of all metrics that have defended rows.

    Args:
        stamped: The cells' CSVs and their stamps.
        scales: (metric, data set) -> the metric's scale.
    """
    tables = [table for path, stamp in stamped.items() for table in _defended(path, stamp)]
    if not tables:
        return []
    every = pd.concat(tables, ignore_index=True)
    return [
        _map(metric, dataset, rows, scale)
        for (metric, dataset), scale in sorted(scales.items())
        if len(rows := every[(every["metric"] == metric) & (every["dataset"] == dataset)])
    ]


def _defended(path: Path, stamp: Stamp) -> Iterator[pd.DataFrame]:
    """Yields a cell's defended rows under default settings, if it has any; scoring itself leaves them out."""
    if stamp.status != "done" or stamp.settings.get("overrides"):
        return
    try:
        if pd.read_csv(path, usecols=["defence"], dtype=str)["defence"].notna().sum() == 0:
            return
        if stamp.sha256 and file_digest(path) != stamp.sha256:  # damaged: told where the cell is missing
            return
        table = pd.read_csv(path, usecols=COLUMNS, dtype=dict.fromkeys(COLUMNS[:3], str))
    except (OSError, ValueError):  # gone, or damaged beyond reading
        return
    finite = np.isfinite(table[SCORES].apply(pd.to_numeric, errors="coerce")).all(axis=1)
    rows = table[table["defence"].notna() & table["variant"].isna() & finite]
    yield rows.assign(metric=stamp.metric.name, attack=stamp.attack.name)


def _map(metric: str, dataset: str, rows: pd.DataFrame, scale: Scale) -> DefenceMap:
    gain: dict[str, dict[str, float]] = {}
    order: dict[str, dict[str, float]] = {}
    attacks = sorted(rows["attack"].unique())
    pairs = [(attack, rows[rows["attack"] == attack], "attacked") for attack in attacks]
    for column, part, scores in [(CLEAR, rows, "clear"), *pairs]:
        lines = [(name, own, f"{scores}_defended") for name, own in part.groupby("defence")]
        for defence, own, after in [*lines, *([(NONE, part, scores)] if column != CLEAR else [])]:
            moved = float(np.abs(own["clear"] - own[after]).mean())
            gain.setdefault(str(defence), {})[column] = moved / (scale.high - scale.low)
            order.setdefault(str(defence), {})[column] = _srocc(own["clear"], own[after])

    def mean(name: str) -> float:
        return float(np.mean([value for column, value in gain[name].items() if column != CLEAR]))

    names = sorted(gain, key=lambda name: (mean(name), name))
    by_name = ({name: table[name] for name in names} for table in (gain, order))
    return DefenceMap(metric, dataset, [CLEAR, *attacks], *by_name)


def _srocc(before: pd.Series[float], after: pd.Series[float]) -> float:
    if before.nunique() < 2 or after.nunique() < 2:
        return math.nan
    return float(stats.spearmanr(before, after).statistic)
