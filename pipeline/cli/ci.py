"""The commands of the GitLab pipeline: plan, aggregate, publish and their like. They also run on a laptop."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pipeline import config, places
from pipeline.catalogue.syntax import FOLDERS
from pipeline.cli.options import Device, Preset, Since, StoreAddress, register
from pipeline.errors import BenchError, Exit
from pipeline.terminal import err, out


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command, example in (
        (inventory, "inventory --preset nightly --out inventory.json"),
        (plan, "plan --preset nightly --store build/store --out build/plan --dry-run"),
        (aggregate, "aggregate --plan build/plan/plan.json --store build/store --out build/tables"),
        (publish, "publish build/tables --url https://gitlab.example.org --project group/robustness"),
        (fetch, "fetch --url https://gitlab.example.org --project group/robustness --raw --out leaderboard"),
        (note, "note build/smoke/note.md"),
        (changed, "changed --since HASH"),
        (smoke, "smoke --since HASH --out build/smoke"),
    ):
        register(app, command, example)


def inventory(
    out_file: Annotated[Path, typer.Option("--out", help="The file to write.")],
    preset: Preset = "nightly",
) -> None:
    """Writes down which images this machine has for a preset: planning may happen where there are none."""
    from pipeline.ci.inventory import take_inventory
    from pipeline.files import write_atomically

    with err.status("reading the images"):
        found = take_inventory(config.load().preset(preset))
    write_atomically(out_file, found.model_dump_json(indent=1) + "\n")
    for name, held in [*found.datasets.items(), *found.train.items()]:
        out.print(f"{name}: {held.images} images, digest {held.digest}")
    for name, reason in found.absent.items():
        err.print(f"training set {name} is left out: {reason}", markup=False, soft_wrap=True)


def plan(
    preset: Preset = "nightly",
    metrics: Annotated[
        str, typer.Option(help="Run these only: names with commas, or all; default: the preset's.")
    ] = "",
    attacks: Annotated[
        str, typer.Option(help="Run these only: names with commas, or all; default: the preset's.")
    ] = "",
    store: StoreAddress = "build/store",
    device: Device = "cuda",
    data: Annotated[Path | None, typer.Option(help="What `inventory` wrote where the images are.")] = None,
    image: Annotated[str, typer.Option(help="The container image that the jobs run in.")] = "metric-robustness",
    hold: Annotated[bool, typer.Option("--hold", help="Run nothing: stale cells wait for the next nightly.")] = False,
    out_folder: Annotated[Path, typer.Option("--out", help="Where plan.json and the child pipelines go.")] = Path(
        "build/plan"
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, write nothing.")] = False,
) -> None:
    """Decides which cells are run, why each is or not, and writes the child pipelines that run them."""
    from pipeline.ci import packing
    from pipeline.ci.children import child
    from pipeline.ci.history import read_history
    from pipeline.ci.inventory import read_inventory, take_inventory
    from pipeline.ci.plan import make_plan
    from pipeline.ci.plan_file import to_json
    from pipeline.files import write_atomically
    from pipeline.store.open import open_store

    if device not in {"cpu", "cuda"}:
        raise BenchError(f"--device must be cpu or cuda; got {device!r}: choose one")
    settings = config.load()
    chosen = settings.preset(preset)
    asked_metrics, asked_attacks = chosen.entries("metrics", metrics), chosen.entries("attacks", attacks)
    shown_metrics, shown_attacks = (  # the tables lose none that this run leaves out
        {entry.name: entry for entry in [*chosen.entries(folder), *asked]}.values()
        for folder, asked in (("metrics", asked_metrics), ("attacks", asked_attacks))
    )
    with err.status("planning"):
        made = make_plan(
            preset,
            chosen,
            [(metric, attack) for metric in shown_metrics for attack in shown_attacks],
            asked=set() if hold else {(metric.name, other.name) for metric in asked_metrics for other in asked_attacks},
            inventory=read_inventory(data) if data else take_inventory(chosen),
            store=open_store(store),
            history=read_history(),
            runners=settings.runners,
            most=packing.ALL_JOBS,
        )
        jobs = packing.jobs_of(made, settings.runners, device)
        files = [child(part, image=image, preset=preset, device=device, store=store) for part in packing.shard(jobs)]
    for planned in made.cells:
        line = f"{planned.cell.metric.name} {planned.cell.attack.name}: {planned.action}, {planned.reason}"
        (err if dry_run else out).print(line, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("cells", "decision", "reason"):
        table.add_column(column, justify="right" if column == "cells" else "left")
    for (action, reason), count in sorted(made.counts.items()):
        table.add_row(str(count), action, escape(reason))
    out.print(table)
    kinds = Counter(job.runner for job in jobs)
    spread = ", ".join(f"{count} on {runner}" for runner, count in sorted(kinds.items()))
    if chosen.untrained:
        out.print(f"left out, for want of a training set: {', '.join(chosen.untrained)}", markup=False, soft_wrap=True)
    out.print(
        f"{len(made.cells)} cells; {len(jobs)} jobs{f' ({spread})' if jobs else ''}, about {made.hours:.1f} hours"
    )
    if dry_run:
        return
    for index, text in enumerate(files):
        write_atomically(out_folder / f"child-{index:02}.yml", text)
    write_atomically(out_folder / "plan.json", to_json(made, [job.name for job in jobs]))


def aggregate(
    plan_file: Annotated[Path, typer.Option("--plan", help="The plan.json of `plan`.")],
    store: StoreAddress,
    out_folder: Annotated[Path, typer.Option("--out", help="Where the tables go.")],
    rows: Annotated[Path, typer.Option(help="Where the rows go, as `run` leaves them.")] = Path("build/rows"),
) -> None:
    """Gathers the planned cells from the store, and writes tables, rows.zip and a JUnit report."""
    from pipeline.ci.aggregate import aggregate as gather
    from pipeline.ci.history import read_history
    from pipeline.ci.plan_file import read_plan
    from pipeline.scoring.tables.write import print_leaderboard
    from pipeline.store.open import open_store

    with err.status("gathering"):
        found = gather(read_plan(plan_file), open_store(store), read_history(), rows, out_folder)
    print_leaderboard(found.board, out)
    err.print(f"the tables are in {out_folder}", markup=False, soft_wrap=True)
    if found.failed:
        err.print(f"{len(found.failed)} cells failed: the table names them, with the reason")


def publish(
    tables: Annotated[Path, typer.Argument(help="The folder that `aggregate` wrote.")],
    branch: Annotated[str, typer.Option(help="The branch to commit to.")] = "main",
    url: Annotated[str, typer.Option(help="The GitLab server; default: the job's.")] = "",
    project: Annotated[str, typer.Option(help="Number or path; default: the job's.")] = "",
) -> None:
    """Commits the tables to results/, in one commit that starts no pipeline; nothing if nothing changed.

    The token is in BENCHMARK_PUBLISH_TOKEN; without one, a job pushes with its CI_JOB_TOKEN.
    """
    from pipeline.gitlab.publish import publish as commit

    with err.status("publishing"):
        made = commit(tables, branch=branch, url=url, project=project)
    told = (
        f"committed {made.commit[:12]} to {branch}: {made.changes}" if made.commit else f"{branch} holds these tables"
    )
    out.print(told, markup=False, soft_wrap=True)


def fetch(
    out_folder: Annotated[Path, typer.Option("--out", help="Where the files go.")] = Path("leaderboard"),
    ref: Annotated[str, typer.Option(help="The branch or tag whose newest tables are wanted.")] = "main",
    raw: Annotated[bool, typer.Option("--raw", help="Also the rows of every cell.")] = False,
    url: Annotated[str, typer.Option(envvar="CI_SERVER_URL", help="The GitLab server.")] = "",
    project: Annotated[str, typer.Option(envvar="CI_PROJECT_ID", help="Number or path.")] = "",
) -> None:
    """Downloads the latest leaderboard, or the raw rows, from GitLab; continues where it was interrupted.

    A public project needs no token; for others set GITLAB_TOKEN.
    """
    from pipeline.cli.progress import downloading
    from pipeline.gitlab.fetch import fetch as download

    found = download(ref, raw=raw, out=out_folder, url=url, project=project, shown=downloading)
    told = f"{len(found.files)} files, {found.new} of them new, are in {out_folder}"
    out.print(told + (f"; the rows are in {found.rows}" if found.rows else ""), markup=False, soft_wrap=True)


def note(
    text: Annotated[Path, typer.Argument(help="The note.md of `smoke`.")],
    merge_request: Annotated[int, typer.Option(envvar="CI_MERGE_REQUEST_IID", help="Its number in the project.")],
    url: Annotated[str, typer.Option(envvar="CI_SERVER_URL", help="The GitLab server.")] = "",
    project: Annotated[str, typer.Option(envvar="CI_PROJECT_ID", help="Number or path.")] = "",
) -> None:
    """Posts our note on a merge request, or brings the one that is there up to date.

    The token is in BENCHMARK_NOTE_TOKEN; without one nothing is posted, and the note stays an artifact.
    """
    from pipeline.gitlab.note import post

    if not text.is_file():
        raise BenchError(f"{text} must be what `smoke` wrote; it is not there: see the log of the smoke job")
    done = post(text.read_text(encoding="utf-8"), merge_request, url=url, project=project)
    out.print(done, markup=False, soft_wrap=True)


def changed(since: Since) -> None:
    """Names the metrics, attacks and defences whose numbers may differ from those of a commit."""
    from pipeline.ci.changes import changed_since

    for change in changed_since(since):
        out.print(f"{change.entry.folder} {change.entry.name}: {change.how}", markup=False, soft_wrap=True)


def smoke(
    since: Since,
    out_folder: Annotated[Path, typer.Option("--out", help="Where rows, tables and note.md go.")],
    device: Device = "cpu",
    checks: Annotated[Path | None, typer.Option(help="What `check --json` printed.")] = None,
) -> None:
    """Runs the smoke preset for the entries that a merge request touches, and writes what it is to be told."""
    from pipeline.cells.cell import settings_of
    from pipeline.ci.changes import changed_since
    from pipeline.ci.merge_request import read_checks, to_markdown
    from pipeline.cli.progress import RunProgress
    from pipeline.engine.job import Request
    from pipeline.engine.run import run
    from pipeline.files import write_atomically
    from pipeline.scoring.tables.write import write_tables

    changes = changed_since(since)
    preset = config.load().preset("smoke")
    touched = {folder: [each.entry.name for each in changes if each.entry.folder == folder] for folder in FOLDERS}
    others = [entry.name for entry in preset.entries("metrics") if entry.name not in touched["metrics"]]
    board, failed = None, 0
    if preset.untrained:
        err.print(f"left out, for want of a training set: {', '.join(preset.untrained)}", markup=False, soft_wrap=True)
    for metrics, attacks in (
        (touched["metrics"], [entry.name for entry in preset.entries("attacks")]),
        (others, [name for name in touched["attacks"] if name not in preset.untrained]),
    ):
        if metrics and attacks:
            request = Request(
                metrics=metrics,
                attacks=attacks,
                datasets=list(preset.datasets),
                out=out_folder,
                settings=settings_of(preset),
                preset="smoke",
                limit=preset.limit,
                device=device,
            )
            with RunProgress(1) as progress:
                failed += run(request, progress).statuses["failed"]
            board = write_tables([out_folder], out_folder)
    note = to_markdown(changes, read_checks(checks) if checks else [], board, places.results() / "leaderboard.csv")
    write_atomically(out_folder / "note.md", note)
    print(note)
    if failed:
        raise typer.Exit(Exit.FAILED)


def environment(name: str) -> str:
    """Returns a variable that GitLab sets in every job.

    Raises:
        BenchError: If it is not set.
    """
    value = os.environ.get(name, "")
    if not value:
        raise BenchError(f"{name} must be set, as it is in a GitLab job; it is not: give it as an option")
    return value
