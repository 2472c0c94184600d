"""Options that several commands have, and how a command is added with its example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from metric_robustness.pipeline import places

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Preset = Annotated[str, typer.Option(help="smoke, demo, nightly or full: how much is run.")]
StoreAddress = Annotated[str, typer.Option(help="A folder, or https://HOST/api/v4/projects/ID.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Since = Annotated[str, typer.Option(help="The hash of the commit to compare with.")]


# The groups of commands in the help; each stands where its first command is added.
RESULTS, OWN, HERE, BEHIND = "Run and look", "Entries of your own", "This machine", "Behind the benchmark: pages and CI"


def register(
    app: typer.Typer, group: str, command: Callable[..., object], example: str, name: str | None = None
) -> None:
    """Adds a command to a group of the help, under its function's name or another; its help ends with the example."""
    example = places.with_own_command(f"Example: python -m pipeline {example}")
    app.command(name, epilog=example, rich_help_panel=group)(command)
