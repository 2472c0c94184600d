"""python -m pipeline store: the result store."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metric_robustness.pipeline.terminal import counted, err, out

if TYPE_CHECKING:
    from rich.table import Table

    from metric_robustness.pipeline.store.prune import StorePart

store = typer.Typer(no_args_is_help=True, help="The result store: what may go from it.")


@store.callback()
def group() -> None:
    """The result store: what may go from it."""


@store.command(epilog="Example: python -m pipeline store prune --store build/store --plan build/plan/plan.json")
def prune(
    address: Annotated[str, typer.Option("--store", help="A folder, or https://HOST/api/v4/projects/ID.")],
    plan: Annotated[
        Path | None, typer.Option(help="The plan.json of `plan`, which says what is wanted; without it results stay.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this, only show what would go.")] = False,
    unfinished_days: Annotated[int, typer.Option(min=0, help="Unfinished work is kept so long.")] = 14,
    unwanted_days: Annotated[int, typer.Option(min=0, help="Results that no plan wants are kept so long.")] = 90,
) -> None:
    """Shows what nobody needs in a result store, and why, and with --yes removes it.

    Old unfinished work goes, results that no plan wants any more, and uploads that a newer one replaced. What the plan
    or results/cells.csv needs stays. A prune notes in the store since when it sees a result unwanted, so that its days
    count from there. One that was interrupted can be repeated.
    """
    from datetime import datetime

    from rich.filesize import decimal

    from metric_robustness.pipeline.ci.history import read_history
    from metric_robustness.pipeline.ci.plan_file import read_plan
    from metric_robustness.pipeline.ci.wanted import wanted_by
    from metric_robustness.pipeline.store.open import open_store
    from metric_robustness.pipeline.store.prune import Retention, plan_prune

    wanted = wanted_by(read_plan(plan), read_history()) if plan else None
    opened = open_store(address)
    with err.status("listing the store"):
        found = plan_prune(opened, wanted, datetime.now(UTC), Retention(unfinished_days, unwanted_days))
    if not found.fates:
        out.print(f"{address} holds nothing of a result store", markup=False, soft_wrap=True)
        return
    out.print(_table(found.parts))
    freed = f"{counted(len(found.going), 'upload')}, {decimal(sum(upload.size for upload in found.going))}"
    if not yes:
        out.print(f"would free {freed}: nothing was removed, --yes does it", markup=False, soft_wrap=True)
        return
    with err.status("removing"):
        found.carry_out(opened)
    out.print(f"freed {freed}", markup=False, soft_wrap=True)


def _table(parts: list[StorePart]) -> Table:
    from rich.filesize import decimal
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("", "kind", "uploads", "size", "why"):
        table.add_column(column, justify="right" if column in {"uploads", "size"} else "left", overflow="fold")
    for kind, goes, reason, uploads, size in parts:
        table.add_row("[yellow]goes" if goes else "[green]stays", kind, str(uploads), decimal(size), reason)
    return table
