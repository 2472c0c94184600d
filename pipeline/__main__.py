"""The command line: python -m pipeline COMMAND."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.table import Table

from pipeline import catalog, config
from pipeline.cells import parse_overrides, settings_of
from pipeline.ci import commands
from pipeline.datasets.commands import data
from pipeline.errors import BenchError, Exit
from pipeline.evaluate.commands import fit
from pipeline.scoring import commands as scoring
from pipeline.syntax import FOLDERS
from pipeline.terminal import RunProgress, err, out
from pipeline.train.commands import tradeoff, train
from pipeline.weights.commands import weights

app = typer.Typer(
    help="Measures how far adversarial attacks can move image- and video-quality metrics.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
PROMISER = {"metrics": "a metric", "attacks": "an attack", "defences": "a defence"}
LEFT_TO_JSON = {
    "metrics": ("gradient", "cost", "smallest", "needs"),
    "defences": ("presets", "needs"),
}  # what a terminal has no room for
Folder = Literal["metrics", "attacks", "defences", "datasets"]


@app.command("list", epilog="Example: python -m pipeline list metrics --filter NR")
def list_entries(
    what: Annotated[Folder | None, typer.Argument(help="Which; everything if left out.")] = None,
    filter_by: Annotated[str, typer.Option("--filter", help="Only rows that contain this text.")] = "",
    as_json: Json = False,
) -> None:
    """Lists metrics, attacks, defences and data sets: title, kind, direction, range, access and needs."""
    from pipeline.listing import listing

    folders: tuple[str, ...] = (what,) if what else (*FOLDERS, "datasets")
    found = {folder: listing(folder, filter_by) for folder in folders}
    if as_json:
        print(json.dumps(found[what] if what else found, indent=1))
        return
    for folder, rows in found.items():
        shown = [column for column in (rows[0] if rows else {}) if column not in LEFT_TO_JSON.get(folder, ())]
        out.print(f"[italic]{len(rows)} {folder}")  # not the table's title, which a table without rows does not show
        table = Table(box=None, pad_edge=False)
        widths = {column: max(len(column), *(len(_text(row[column])) for row in rows)) for column in shown}
        room = out.width - sum(width + 2 for column, width in widths.items() if column != "title")
        for column in shown:  # the title alone gives way on a narrow terminal
            limit = max(room, 15) if column == "title" else None
            table.add_column(column, no_wrap=True, overflow="ellipsis", max_width=limit)
        for row in rows:
            table.add_row(*(_plain(_text(row[column])) for column in shown))
        out.print(table)


@app.command(epilog="Example: python -m pipeline new metric sharpness")
def new(
    kind: Annotated[Literal["metric", "attack", "defence"], typer.Argument(help="What to add.")],
    name: Annotated[str, typer.Argument(help="Its name: lower case, digits and underscores.")],
) -> None:
    """Writes the file of a new metric, attack or defence, ready to be filled in."""
    from pipeline.scaffold import write

    path = write(kind, name)
    out.print(f"wrote {path}; fill it in, then: python -m pipeline check {name}", markup=False, soft_wrap=True)


@app.command(epilog="Example: python -m pipeline check ssim ifgsm")
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Metrics, attacks or defences.")] = None,
    since: Annotated[str, typer.Option(help="Instead of names: all that changed since this commit.")] = "",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    as_json: Json = False,
) -> None:
    """Checks entries against the contract: what each must do, what was seen, what to change. Exit code 3 on failure."""
    from pipeline.ci.changes import changed_since
    from pipeline.contract import check_entry

    if bool(names) == bool(since):
        raise BenchError("check must be given names, or --since: write python -m pipeline check niqe")
    broken = False
    changed = [change.entry for change in changed_since(since)] if since else []
    if since and not changed:
        err.print("no metric, attack or defence changed")
    for entry in changed or [catalog.find_anywhere(name) for name in names or []]:
        with err.status(f"checking {entry.name}"):
            results = check_entry(entry, device)
        broken |= any(result.status == "failed" for result in results)
        if as_json:
            print(json.dumps({"name": entry.name, "checks": [result._asdict() for result in results]}))
            continue
        table = Table(title=entry.file, title_justify="left", box=None, pad_edge=False)
        for column in ("", f"{PROMISER[entry.folder]} must", "seen"):
            table.add_column(column, overflow="fold")
        marks = {"passed": "[green]✓", "failed": "[red]✗", "skipped": "[yellow]-"}
        for result in results:
            table.add_row(marks[result.status], result.promise, _plain(result.seen))
        out.print(table)
    if broken:
        raise typer.Exit(Exit.FAILED)


@app.command(
    epilog="Example: python -m pipeline run --metrics ssim,niqe --attacks fgsm,ifgsm --dataset photos --out out"
)
def run(
    out_folder: Annotated[Path, typer.Option("--out", help="Where the rows and tables go; run again to continue.")],
    metrics: Annotated[str, typer.Option(help="Names with commas, or all; default: the preset's.")] = "",
    attacks: Annotated[str, typer.Option(help="Names with commas, or all; default: the preset's.")] = "",
    defences: Annotated[
        str,
        typer.Option(help="Defences, or DEFENCE-PRESET, with commas, or all: judge the attacked images behind each."),
    ] = "",
    adaptive: Annotated[
        bool, typer.Option("--adaptive", help="Attack the metric behind each of --defences instead of the bare one.")
    ] = False,
    dataset: Annotated[
        str, typer.Option(help="A data set's name, a folder of images and videos, or iqa:CSV with image and mos.")
    ] = "",
    train: Annotated[
        str, typer.Option(help="Training sets or folders for universal attacks, with commas; default: the preset's.")
    ] = "",
    preset: Annotated[str, typer.Option(help="smoke, demo, nightly or full: how much is run.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Photographs or clips per data set.")] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames of each video, from its beginning.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="An attack's setting, such as steps=20; kept off the leaderboard.")
    ] = None,
    codec: Annotated[
        str, typer.Option(help="Store clear and attacked clips with it before scoring, such as libx264:crf=23.")
    ] = "",
    jpeg: Annotated[
        int | None, typer.Option(min=1, max=100, help="Store clear and attacked images as JPEG before scoring.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    dtype: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="Of the attack's search; scores are always float32.")
    ] = "float32",
    batch: Annotated[int | None, typer.Option(min=1, help="Images per batch; default: by memory.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Metrics run at once, each in its own process.")] = 1,
    save_images: Annotated[
        bool, typer.Option("--save-images", help="Write the attacked images as PNG, with a manifest.")
    ] = False,
    from_images: Annotated[
        Path | None,
        typer.Option(help="A folder of --save-images, or anybody's with a manifest: score its images, attack nothing."),
    ] = None,
    store: Annotated[
        str, typer.Option(help="A folder, or a GitLab project's API address, to find finished work in and keep ours.")
    ] = "",
    keep_every: Annotated[
        float, typer.Option(envvar="BENCHMARK_KEEP_EVERY", min=0, help="Seconds between copies of unfinished work.")
    ] = 300,
    key: Annotated[str, typer.Option(help="The key that the cell was planned with; another one is refused.")] = "",
) -> None:
    """Attacks metrics on images, then writes rows, scores and the leaderboard. Finished work is never done again."""
    from pipeline.evaluate import local
    from pipeline.evaluate.job import Request
    from pipeline.scoring.tables import print_leaderboard, write_tables

    chosen = config.load().preset(preset)
    if train:
        chosen = chosen.model_copy(update={"train": tuple(name.strip() for name in train.split(",") if name.strip())})
    if codec and jpeg:
        raise BenchError("one of --codec and --jpeg must be chosen; got both: leave one out")
    if adaptive and not defences:
        raise BenchError("--adaptive must have --defences to attack through; it has none: name them")
    if defences:
        guards = tuple(_usable(catalog.guards(defences)))
        chosen = chosen.model_copy(update={"through": guards} if adaptive else {"defences": guards})
    untrained = [] if attacks or from_images else chosen.untrained
    given = {"--attacks": attacks, "--dataset": dataset, "--train": train, "--set": overrides, "--limit": limit}
    given |= {"--adaptive": adaptive, "--save-images": save_images, "--codec": codec}
    if from_images and (extra := [name for name, value in given.items() if value]):
        raise BenchError(f"--from-images brings its own attacks and images; got {', '.join(extra)} too: leave it out")
    request = Request(
        metrics=[entry.name for entry in chosen.entries("metrics", metrics)],
        attacks=[] if from_images else [entry.name for entry in chosen.entries("attacks", attacks)],
        datasets=[dataset] if dataset else list(chosen.datasets),
        train=list(chosen.train),
        train_limit=chosen.train_limit,
        out=out_folder,
        settings=replace(
            settings_of(chosen),
            overrides=parse_overrides(overrides or []),
            dtype=dtype,
            codec=f"jpeg:quality={jpeg}" if jpeg else codec,
        ),
        preset=preset,
        limit=limit or chosen.limit,
        frames=frames or chosen.frames,
        device=device,
        batch=batch,
        save_images=save_images,
        saved=from_images,
        jobs=jobs,
        store=store,
        keep_every=keep_every,
        key=key,
    )
    with RunProgress(jobs) as progress:
        summary = local.run(request, progress)
    with err.status("scoring"):
        board = write_tables([out_folder], out_folder)
    print_leaderboard(board, out)
    for image, reason in summary.excluded.items():
        err.print(f"left out: {image}: {reason}", markup=False, soft_wrap=True)
    if untrained:
        err.print(f"left out, for want of --train: {', '.join(untrained)}", markup=False, soft_wrap=True)
    err.print(f"rows and tables are in {out_folder}", markup=False, soft_wrap=True)
    if summary.statuses["failed"] or not summary.statuses["done"]:
        raise typer.Exit(Exit.FAILED)


@app.command(epilog="Example: python -m pipeline score build/demo --json")
def score(
    paths: Annotated[list[Path], typer.Argument(help="Output folders of run, or CSV files of rows.")],
    scaling: Annotated[
        Literal["fixed", "subset"],
        typer.Option(help="By the metric's known range, or by these rows' own clear scores."),
    ] = "fixed",
    parity: Annotated[bool, typer.Option("--parity", help="Keep duplicate rows, as the published numbers do.")] = False,
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="The metric's direction, for rows that have no stamp.")
    ] = False,
    scale_to: Annotated[
        str, typer.Option(help="A metric in these rows, to whose scale all are brought by matching clear scores.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Computes the robustness scores of rows, per attack and data set."""
    from pipeline.scoring.report import score_paths

    with err.status("scoring"):
        report = score_paths(paths, scaling, parity=parity, lower_is_better=lower_is_better, scale_to=scale_to)
    for note in report.notes:
        err.print(f"note: {note}", markup=False, soft_wrap=True)
    if as_json:
        print(report.to_json())
    else:
        out.print(report.table())


@app.command(epilog="Example: python -m pipeline report build/demo --out build/site")
def report(
    folder: Annotated[Path, typer.Argument(help="An output folder of run.")],
    out_folder: Annotated[Path, typer.Option("--out", help="Where the pages go; open its index.html.")],
) -> None:
    """Makes pages of a run's rows that need no server, with the tables and rows to download."""
    from pipeline.scoring.site.build import write_site
    from pipeline.scoring.tables import write_tables

    with err.status("writing the pages"):
        write_site(write_tables([folder], out_folder), folder, out_folder)
    out.print(f"open {out_folder / 'index.html'}", markup=False, soft_wrap=True)


commands.add_to(app)
scoring.add_to(app)
app.add_typer(weights, name="weights")
app.add_typer(data, name="data")
app.command(epilog="Example: python -m pipeline fit optimized_uap niqe --train photos --out build/photos")(fit)
app.command(epilog="Example: python -m pipeline train small_cnn --images data/kodak24 --out small_cnn.safetensors")(
    train
)
app.command(
    epilog="Example: python -m pipeline tradeoff small_cnn+gradient_norm:0,1e-6,1e-5 --images data/kodak24 --out t.csv"
)(tradeoff)


@app.command(epilog="Example: python -m pipeline catalogue")
def catalogue() -> None:
    """Writes docs/metrics.md and docs/defences.md from the entries' files."""
    from pipeline.catalogue_table import PAGES

    for page in PAGES:
        out.print(f"wrote {page.write()}", markup=False, soft_wrap=True)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Shows what this machine has: versions, GPU, driver, memory, data sets and weights."""
    from pipeline.evaluate.doctor import examine

    found = examine()
    if as_json:
        print(json.dumps(found, indent=1))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in found.items():
        table.add_row(name, _plain(value))
    out.print(table)


def _plain(value: object) -> str:
    """Returns a value as text that rich does not take for markup."""
    from rich.markup import escape

    return escape(str(value))


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _usable(guards: list[str]) -> list[str]:
    """Returns the defences whose weights are here or can be fetched; tells of the others.

    Raises:
        BenchError: If there is none.
    """
    from pipeline.evaluate.weights import missing

    reasons = {guard: missing(catalog.find("defences", guard.partition("-")[0])) for guard in guards}
    for guard, reason in reasons.items():
        if reason:
            err.print(f"left out: {guard}: {reason}", markup=False, soft_wrap=True)
    usable = [guard for guard, reason in reasons.items() if not reason]
    if not usable:
        raise BenchError(
            f"--defences must name one that can be used; got {', '.join(guards)}: see python -m pipeline list"
        )
    return usable


def main() -> NoReturn:
    """Runs the command line; a user's mistake is one line and an exit code, never a traceback."""
    try:
        code = app(standalone_mode=False)
    except BenchError as error:
        err.print(f"error: {error}", markup=False, soft_wrap=True)
        code = error.exit_code
    except typer.TyperException as error:
        if message := error.format_message():  # none where the help was shown instead
            err.print(f"error: {message}", markup=False, soft_wrap=True)
        code = Exit.USAGE
    except (KeyboardInterrupt, typer.Abort):
        code = Exit.STOPPED
    except BrokenPipeError:
        code = Exit.DONE
    if code == Exit.STOPPED:  # Typer returns it where it caught the key itself
        err.print("stopped; run the same command again to continue")
    sys.exit(int(code or 0))


if __name__ == "__main__":
    main()
