"""The two consoles: a command's answer goes to `out`, everything else to `err`."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from metric_robustness.pipeline.errors import printable

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
HEARTBEAT = 60  # seconds between lines of long work; CI kills a job that prints nothing for an hour


def plain(value: object) -> str:
    """Returns a value as text in which rich finds no markup, and the terminal no control character."""
    return escape(printable(str(value)))
