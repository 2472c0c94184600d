"""The two consoles: a command's answer goes to `out`, everything else to `err`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from rich.console import Console
from rich.markup import escape

from metric_robustness.pipeline.errors import printable

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
SHOWN = 12  # lines of a list
HEARTBEAT = 60  # seconds between lines of long work; CI kills a job that prints nothing for an hour


def print_folded(lines: Sequence[str], where: str) -> None:
    """Prints the first of many lines to `err`, and how many more there are and where."""
    for line in lines[:SHOWN]:
        err.print(line, markup=False, soft_wrap=True)
    if len(lines) > SHOWN:
        err.print(f"and {len(lines) - SHOWN} more: see {where}", markup=False, soft_wrap=True)


def plain(value: object) -> str:
    """Returns a value as text in which rich finds no markup, and the terminal no control character."""
    return escape(printable(str(value)))


def live() -> bool:
    """Tells whether `err` can show a bar that moves: it is a terminal, or a notebook that has widgets."""
    return err.is_terminal or (err.is_jupyter and find_spec("ipywidgets") is not None)
