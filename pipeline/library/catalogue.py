"""The catalogue as a table, read without importing an entry or PyTorch."""

from __future__ import annotations

import pandas as pd

from metric_robustness.pipeline.catalogue.syntax import FOLDERS
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.library.listing import listing

KINDS = (*FOLDERS, "datasets")


def catalogue(what: str = "") -> pd.DataFrame:
    """Returns metrics, attacks, defences and data sets as `metric-robustness list` shows them, a line each.

    Args:
        what: One of "metrics", "attacks", "defences" and "datasets"; empty: all, told apart by the column `what`.

    Raises:
        ValueError: If `what` is something else.
    """
    if what and what not in KINDS:
        raise BenchError(f"what must be one of {', '.join(KINDS)}; got {what!r}: choose one, or none for all")
    found = [pd.DataFrame(listing(folder)).assign(what=folder) for folder in ([what] if what else KINDS)]
    table = pd.concat(found, ignore_index=True)
    return table.drop(columns="what") if what else table[["what", *(name for name in table if name != "what")]]
