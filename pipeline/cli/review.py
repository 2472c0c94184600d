"""The commands about a merge request: note, changed, smoke. They also run on a laptop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metric_robustness.pipeline import config, places
from metric_robustness.pipeline.catalogue.syntax import FOLDERS
from metric_robustness.pipeline.cli.options import BEHIND, Device, Since, register
from metric_robustness.pipeline.errors import BenchError, Exit
from metric_robustness.pipeline.terminal import err, out

if TYPE_CHECKING:
    from metric_robustness.pipeline.ci.changes import Change


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(app, BEHIND, note, "note build/smoke/note.md")
    register(app, BEHIND, changed, "changed --since HASH")
    register(app, BEHIND, smoke, "smoke --since HASH --out build/smoke")


def note(
    text: Annotated[Path, typer.Argument(help="The note.md of `smoke`.")],
    merge_request: Annotated[int, typer.Option(envvar="CI_MERGE_REQUEST_IID", help="Its number in the project.")],
    url: Annotated[str, typer.Option(envvar="CI_SERVER_URL", help="The GitLab server.")] = "",
    project: Annotated[str, typer.Option(envvar="CI_PROJECT_ID", help="Number or path.")] = "",
) -> None:
    """Posts our note on a merge request, or brings the one that is there up to date.

    The token is in BENCHMARK_NOTE_TOKEN; without one nothing is posted, and the note stays an artifact.
    """
    from metric_robustness.pipeline.gitlab.note import post

    if not text.is_file():
        raise BenchError(f"{text} must be what `smoke` wrote; got no such file: see the log of the smoke job")
    done = post(text.read_text(encoding="utf-8"), merge_request, url=url, project=project)
    out.print(done, markup=False, soft_wrap=True)


def changed(since: Since) -> None:
    """Names the metrics, attacks and defences whose numbers may differ from those of a commit, and those removed."""
    from metric_robustness.pipeline.ci.changes import changed_since

    for change in changed_since(since):
        out.print(f"{change.entry.folder} {change.entry.name}: {change.how}", markup=False, soft_wrap=True)


def smoke(
    since: Since,
    out_folder: Annotated[Path, typer.Option("--out", help="Where rows, tables and note.md go.")],
    device: Device = "cpu",
    checks: Annotated[Path | None, typer.Option(help="What `check --json` printed.")] = None,
) -> None:
    """Runs the smoke preset for the entries that a merge request touches, and writes the note about it."""
    from metric_robustness.pipeline.ci.changes import changed_since
    from metric_robustness.pipeline.ci.merge_request import read_checks, to_markdown
    from metric_robustness.pipeline.files import write_atomically
    from metric_robustness.pipeline.scoring.tables.write import write_tables

    changes = changed_since(since)
    preset = config.load().preset("smoke")
    if preset.untrained:
        err.print(f"not run, for want of a training set: {', '.join(preset.untrained)}", markup=False, soft_wrap=True)
    runs = _touched_cells([change for change in changes if change.stays], preset)
    failed = sum(_run(metrics, attacks, preset, out_folder, device) for metrics, attacks in runs)
    board = write_tables([out_folder], out_folder) if runs else None
    text = to_markdown(changes, read_checks(checks) if checks else [], board, places.results() / "leaderboard.csv")
    write_atomically(out_folder / "note.md", text)
    print(text)
    if failed:
        raise typer.Exit(Exit.FAILED)


def _touched_cells(changes: Sequence[Change], preset: config.Preset) -> list[tuple[list[str], list[str]]]:
    """Returns metrics with attacks: changed metrics with all attacks, other metrics with changed attacks."""
    touched = {folder: [each.entry.name for each in changes if each.entry.folder == folder] for folder in FOLDERS}
    others = [entry.name for entry in preset.entries("metrics") if entry.name not in touched["metrics"]]
    runs = [
        (touched["metrics"], [entry.name for entry in preset.entries("attacks")]),
        (others, [name for name in touched["attacks"] if name not in preset.untrained]),
    ]
    return [(metrics, attacks) for metrics, attacks in runs if metrics and attacks]


def _run(metrics: list[str], attacks: list[str], preset: config.Preset, folder: Path, device: str) -> int:
    """Runs cells of the smoke preset and returns how many failed."""
    from metric_robustness.pipeline.cells.settings import settings_of
    from metric_robustness.pipeline.engine.device import Compute
    from metric_robustness.pipeline.engine.machine import Machine
    from metric_robustness.pipeline.engine.run import run
    from metric_robustness.pipeline.engine.selection import Selection
    from metric_robustness.pipeline.isolation.starter import starter
    from metric_robustness.pipeline.library.progress import RunProgress

    selection = Selection(metrics, attacks, preset.datasets, preset.limit, preset="smoke")
    starter()
    with RunProgress(1) as progress:
        return run(selection, settings_of(preset), Machine(folder, Compute(device)), progress).statuses["failed"]
