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


def register(app: typer.Typer, command: Callable[..., object], example: str, name: str | None = None) -> None:
    """Adds a command under its function's name, or another; its help ends with the example."""
    app.command(name, epilog=places.with_own_command(f"Example: python -m pipeline {example}"))(command)
