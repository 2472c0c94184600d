"""The metric to whose scale other metrics are mapped, by the clear scores of the images that both scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from metric_robustness.pipeline.errors import BenchError, DataError, suggestion
from metric_robustness.pipeline.scoring.read.cells import StoredCell
from metric_robustness.pipeline.scoring.scores.transport import Transport


@dataclass(frozen=True)
class Target:
    """The metric to whose scale all others are mapped."""

    cell: StoredCell  # one of its cells, for its name and its range
    higher_is_better: bool
    clear: pd.Series[float]  # its clear score by data set and image

    @classmethod
    def of(cls, cells: Sequence[StoredCell], metric: str, *, lower_is_better: bool) -> Target:
        """Returns the target of a metric's name.

        Args:
            cells: The cells of all metrics.
            metric: The name.
            lower_is_better: The direction if the metric's rows have no stamp.

        Raises:
            BenchError: If the metric has no rows in these cells.
        """
        own = [cell for cell in cells if cell.metric == metric and len(cell.rows)]
        if not own:
            known = {cell.metric: None for cell in cells if len(cell.rows)}
            raise BenchError(
                f"--scale-to must name a metric that has rows here; got {metric!r}: {suggestion(metric, known)}"
            )
        clear = pd.concat([_clear(cell.rows) for cell in own])
        return cls(own[0], direction_of(own[0], lower_is_better=lower_is_better), clear[~clear.index.duplicated()])

    def mapped(self, rows: pd.DataFrame, metric: str, *, higher_is_better: bool) -> tuple[pd.DataFrame, list[str]]:
        """Returns rows with scores in the target's unit, and a note for each data set whose rows are left out.

        A data set is left out if the two metrics share too few images on it, or if all its clear scores are equal.

        Args:
            rows: The rows of one metric.
            metric: Its name.
            higher_is_better: Its direction.
        """
        if metric == self.cell.metric:
            return rows, []
        parts, notes = [rows.iloc[:0]], []
        for dataset, part in rows.groupby("dataset"):
            both = pd.concat([_clear(part), self.clear], axis=1, join="inner").to_numpy()
            try:
                transport = Transport(both[:, 0], both[:, 1], mirrored=higher_is_better != self.higher_is_better)
            except DataError as error:
                notes.append(f"{dataset}: not brought to the scale of {self.cell.metric}: {error}")
                continue
            parts.append(part.assign(**{name: transport(part[name].to_numpy()) for name in ("clear", "attacked")}))
        return pd.concat(parts, ignore_index=True), notes


def _clear(rows: pd.DataFrame) -> pd.Series[float]:
    """Returns the clear scores by data set and image, of rows under default settings if there are any, else of all."""
    default = rows[rows["variant"] == ""]
    chosen = default if len(default) else rows
    return chosen.drop_duplicates(["dataset", "image"]).set_index(["dataset", "image"])["clear"]


def direction_of(cell: StoredCell, *, lower_is_better: bool) -> bool:
    """Returns whether higher is better: as the stamp says, or for rows without a stamp as the option says."""
    return cell.stamp.metric.higher_is_better if cell.stamp else not lower_is_better
