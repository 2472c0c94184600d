"""The commands about entries: list, new, check."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer
from rich.table import Table

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.syntax import FOLDERS
from metric_robustness.pipeline.cli.completion import any_names
from metric_robustness.pipeline.cli.options import OWN, RESULTS, Json, register
from metric_robustness.pipeline.errors import BenchError, Exit
from metric_robustness.pipeline.terminal import answers, counted, err, folding, out, plain

ARTICLE = {"metrics": "a metric", "attacks": "an attack", "defences": "a defence"}
LEFT_TO_JSON = {
    "metrics": ("gradient", "cost", "smallest", "needs"),
    "defences": ("presets", "needs"),
}  # columns that a terminal has no room for
Folder = Literal["metrics", "attacks", "defences", "datasets", "data"]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(app, RESULTS, list_entries, "list metrics --filter NR", "list")
    register(app, OWN, new, "new metric sharpness")
    register(app, OWN, check, "check ssim ifgsm")


def list_entries(
    what: Annotated[Folder | None, typer.Argument(help="What to list; everything by default.")] = None,
    filter_by: Annotated[str, typer.Option("--filter", help="Only rows that contain this text.")] = "",
    as_json: Json = False,
) -> None:
    """Lists metrics, attacks, defences and data sets: title, kind, direction, range, access and needs."""
    from metric_robustness.pipeline.library.listing import listing

    what = "datasets" if what == "data" else what
    folders: tuple[str, ...] = (what,) if what else (*FOLDERS, "datasets")
    found = {folder: listing(folder, filter_by) for folder in folders}
    if as_json:
        print(json.dumps(found[what] if what else found, indent=1))
        return
    console = answers()
    for folder, rows in found.items():
        shown = [column for column in (rows[0] if rows else {}) if column not in LEFT_TO_JSON.get(folder, ())]
        console.print(
            f"[italic]{_count(len(rows), folder)}"
        )  # above the table: a table without rows does not show its title
        table = folding({column: max(len(column), *(len(_text(row[column])) for row in rows)) for column in shown})
        for row in rows:
            table.add_row(*(plain(_text(row[column])) for column in shown))
        console.print(table)


def new(
    kind: Annotated[Literal["metric", "attack", "defence"], typer.Argument(help="What to add.")],
    name: Annotated[str, typer.Argument(help="Its name: lower case, digits and underscores.")],
) -> None:
    """Writes the file of a new metric, attack or defence, ready to be filled in."""
    from metric_robustness.pipeline.catalogue.scaffold import write

    path = write(kind, name)
    then = places.with_own_command(f"fill it in, then: python -m pipeline check {name}")
    out.print(f"wrote {path}; {then}", markup=False, soft_wrap=True)


def check(
    names: Annotated[
        list[str] | None, typer.Argument(help="Metrics, attacks or defences.", autocompletion=any_names)
    ] = None,
    since: Annotated[str, typer.Option(help="Instead of names: all that changed since this commit.")] = "",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    as_json: Json = False,
) -> None:
    """Checks entries against the contract: what each must do, what was seen, what to change. Exit code 3 on failure."""
    from metric_robustness.pipeline.ci.changes import changed_since
    from metric_robustness.pipeline.contract import check_alone
    from metric_robustness.pipeline.engine.workers import slow_imports
    from metric_robustness.pipeline.isolation.starter import starter

    if bool(names) == bool(since):
        given = "both" if names else "neither"
        raise BenchError(f"check must have either names or --since; got {given}: write python -m pipeline check niqe")
    broken = False
    changed = [change.entry for change in changed_since(since) if change.stays] if since else []
    if since and not changed:
        err.print("no metric, attack or defence changed")
    entries = changed or [lookup.find_anywhere(name) for name in names or []]
    starter().prepare(slow_imports(entries))
    for entry in entries:
        with err.status(f"checking {entry.name}"):
            results = check_alone(entry, device)
        broken |= any(result.status == "failed" for result in results)
        if as_json:
            print(json.dumps({"name": entry.name, "checks": [result._asdict() for result in results]}))
            continue
        table = Table(title=entry.file, title_justify="left", box=None, pad_edge=False)
        for column in ("", f"{ARTICLE[entry.folder]} must", "seen"):
            table.add_column(column, overflow="fold")
        marks = {"passed": "[green]✓", "failed": "[red]✗", "skipped": "[yellow]-"}
        for result in results:
            table.add_row(marks[result.status], result.promise, plain(result.seen))
        out.print(table)
        failures = [result.change for result in results if result.status == "failed"]
        if failures:
            again = places.with_own_command(f"python -m pipeline check {entry.name}")
            then = f"then {failures[1]}; and again: " if len(failures) > 1 else "then: "
            out.print(f"1. in {entry.file}: {failures[0]}\n2. {then}{again}", markup=False)
    if broken:
        raise typer.Exit(Exit.FAILED)


def _count(rows: int, folder: str) -> str:
    return counted(rows, "data set" if folder == "datasets" else folder.removesuffix("s"))


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
