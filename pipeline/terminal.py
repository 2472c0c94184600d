"""The two consoles: what a command answers goes to `out`, everything else to `err`."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
HEARTBEAT = 60  # seconds; a CI job that prints nothing for an hour is killed


def plain(value: object) -> str:
    """Returns a value as text that rich does not take for markup."""
    return escape(str(value))
