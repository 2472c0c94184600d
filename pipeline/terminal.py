"""The two consoles: a command's answer goes to `out`, everything else to `err`."""

from __future__ import annotations

from importlib.util import find_spec

from rich.console import Console
from rich.markup import escape

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
HEARTBEAT = 60  # seconds between lines of long work; CI kills a job that prints nothing for an hour


def plain(value: object) -> str:
    """Returns a value as text in which rich finds no markup."""
    return escape(str(value))


def live() -> bool:
    """Tells whether `err` can show a bar that moves: it is a terminal, or a notebook that has widgets."""
    return err.is_terminal or (err.is_jupyter and find_spec("ipywidgets") is not None)
