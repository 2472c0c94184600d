"""The two consoles: a command's answer goes to `out`, everything else to `err`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from metric_robustness.pipeline.errors import printable


class Terminal(Console):
    """Prints texts that quote others, such as reasons and file names, without what a terminal would obey."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Prints; what is no text, as a table, was made of `plain` texts."""
        super().print(*(printable(each) if isinstance(each, str) else each for each in objects), **options)


out = Terminal(highlight=False)
err = Terminal(stderr=True, highlight=False)
SHOWN = 12  # lines of a list
HEARTBEAT = 60  # seconds between lines of long work; CI kills a job that prints nothing for an hour


def print_folded(lines: Sequence[str], where: str) -> None:
    """Prints the first of many lines to `err`, and how many more there are and where."""
    for line in lines[:SHOWN]:
        err.print(line, markup=False, soft_wrap=True)
    if len(lines) > SHOWN:
        err.print(f"and {len(lines) - SHOWN} more: see {where}", markup=False, soft_wrap=True)


WIDE = 1000  # columns of text that goes to a file or another program, which cuts no line
LEAST = 15  # columns that a title keeps
SHORT = 12  # columns that a word keeps, however narrow the terminal is


def answers() -> Console:
    """Returns where tables are printed: as wide as the terminal, and as wide as they are where there is none."""
    return out if out.is_terminal else Terminal(width=WIDE, highlight=False)


def folding(columns: dict[str, int], right: tuple[str, ...] = ()) -> Table:
    """Returns a table without lines that folds what has no room, the widest column first; only titles are cut.

    Args:
        columns: How wide each column is, by its heading.
        right: The columns of numbers.
    """
    table = Table(box=None, pad_edge=False)
    room = answers().width - sum(width + 2 for name, width in columns.items() if name != "title")
    for name, width in columns.items():
        if name == "title":  # readers know an entry by its other columns, and pages and wide terminals show it whole
            table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=max(room, LEAST))
        else:
            justify: Literal["left", "right"] = "right" if name in right else "left"
            table.add_column(name, no_wrap=width <= SHORT, overflow="fold", justify=justify)
    return table


def counted(count: int, noun: str) -> str:
    """Returns how many there are of something whose plural ends in s: 1 cell, 2 cells."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def plain(value: object) -> str:
    """Returns a value as text in which rich finds no markup, and the terminal no control character."""
    return escape(printable(str(value)))


def live() -> bool:
    """Tells whether `err` can show a bar that moves: it is a terminal, or a notebook that has widgets."""
    return err.is_terminal or (err.is_jupyter and find_spec("ipywidgets") is not None)
