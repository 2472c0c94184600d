"""The steps of a setup, and their table."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rich.table import Table

from metric_robustness.pipeline.terminal import plain


class SetupStep(NamedTuple):
    """One setting: what it is and what it will be."""

    what: str
    now: str
    wanted: str
    change: Callable[[], object] | None = None  # None: nothing has to change, or the API cannot change it


def to_table(steps: list[SetupStep]) -> Table:
    """Returns the steps as a table for a terminal."""
    table = Table(box=None, pad_edge=False)
    for column in ("", "setting", "is", "will be"):
        table.add_column(column, overflow="fold", no_wrap=column == "setting")
    for step in steps:
        mark = "[yellow]change" if step.change else "[green]✓" if step.now == step.wanted else "-"
        table.add_row(mark, *(plain(text) for text in (step.what, step.now, step.wanted)))
    return table
