"""results/fits.csv: what each fit of a universal pattern took. Planning estimates from it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from metric_robustness.pipeline.cells.fit import Fit, FitStamp
from metric_robustness.pipeline.cells.speed import amount
from metric_robustness.pipeline.ci.spending import crops_of
from metric_robustness.pipeline.errors import DataError

NUMBERS: Mapping[str, Callable[[str], Any]] = {"crops": int, "seconds": amount}


class PastFit(NamedTuple):
    """One line of the file."""

    metric: str
    attack: str
    variant: str  # empty for the default
    train: str  # the training set's name
    crops: int  # of all steps together
    seconds: float
    device: str
    finished: str  # when, UTC

    @classmethod
    def of(cls, fit: Fit, stamp: FitStamp) -> Self:
        """Returns what a fit took."""
        crops = crops_of(fit, stamp.train.images)
        device = stamp.machine.get("device", "")
        return cls(stamp.metric, stamp.attack, stamp.variant, fit.train, crops, stamp.seconds, device, stamp.finished)


FitHistory = dict[tuple[str, str, str, str], PastFit]  # (metric, attack, variant, train) -> what is known


def read_fit_history(path: Path) -> FitHistory:
    """Returns the lines of a file; none where there is no file.

    Raises:
        DataError: If a line cannot be read.
    """
    if not path.exists():
        return {}
    found: FitHistory = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                past = PastFit(**{name: NUMBERS.get(name, str)(row[name]) for name in PastFit._fields})
            except (KeyError, TypeError, ValueError) as error:
                columns = ", ".join(PastFit._fields)
                raise DataError(
                    f"{path} must hold the columns {columns}; line {line} does not: restore it with git"
                ) from error
            found[past[:4]] = past
    return found


def fits_to_csv(history: Iterable[PastFit]) -> str:
    """Returns the lines as CSV, sorted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PastFit._fields)
    writer.writerows(past._replace(seconds=round(past.seconds, 3)) for past in sorted(history))
    return text.getvalue()
