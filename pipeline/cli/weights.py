"""python -m pipeline weights: the files that metrics load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metric_robustness.pipeline.cli.options import Json
from metric_robustness.pipeline.errors import BenchError, Exit
from metric_robustness.pipeline.terminal import err, out, plain

if TYPE_CHECKING:
    from rich.table import Table

    from metric_robustness.pipeline.weights.fetching import FetchResult

weights = typer.Typer(
    no_args_is_help=True, help="The weight files of the metrics: list, fetch, verify, unpin, mirror, import."
)

Names = Annotated[
    list[str] | None, typer.Argument(help="Metrics, or files as the list names them; default: everything.")
]
MirrorOption = Annotated[
    str,
    typer.Option(
        "--mirror", envvar="METRIC_ROBUSTNESS_MIRROR", help="A mirror's folder or address, which is asked first."
    ),
]
Jobs = Annotated[int, typer.Option(min=1, max=16, help="Files fetched at once.")]


@weights.command("list", epilog="Example: python -m pipeline weights list maniqa")
def list_weights(
    names: Names = None,
    missing: Annotated[bool, typer.Option("--missing", help="Only files that are not here.")] = False,
    as_json: Json = False,
) -> None:
    """Lists weight files: which metric needs them, size, licence, how they are checked, and whether they are here."""
    from metric_robustness.pipeline.weights.declared import choose
    from metric_robustness.pipeline.weights.records import records

    found = [record for record in records(choose(names or [])) if not (missing and record["here"])]
    if as_json:
        print(json.dumps(found, indent=1))
        return
    out.print(_table(found))
    for number, licence in _licences(found).items():
        out.print(f"{number} {licence}", markup=False, soft_wrap=True)
    here = sum(record["here"] for record in found)
    err.print(f"{here} of {len(found)} files are here")


@weights.command(epilog="Example: python -m pipeline weights fetch maniqa --mirror /data/weights")
def fetch(
    names: Names = None,
    mirror: MirrorOption = "",
    jobs: Jobs = 4,
    anew: Annotated[bool, typer.Option("--anew", help="Also files that are here and look right.")] = False,
) -> None:
    """Fetches weight files to where the metrics look for them. What is here already is checked and kept.

    The first download of a file whose sha256 is not known is opened, and trusted if its reader takes it; its sha256 is
    pinned on this machine, and later downloads are checked against it, until `weights unpin` takes the pin back.
    """
    from metric_robustness.pipeline.cli.progress import FetchBars
    from metric_robustness.pipeline.weights.declared import choose
    from metric_robustness.pipeline.weights.fetching import Fetcher

    needs = choose(names or [])
    with FetchBars(len(needs)) as bars:
        results = Fetcher(None, mirror, bars.on_progress, anew=anew).fetch(needs, jobs, bars.on_result)
    _end(results)


@weights.command(epilog="Example: python -m pipeline weights verify lpips_squeeze")
def verify(names: Names = None, as_json: Json = False) -> None:
    """Hashes the weight files that are here again, and opens each in a process of its own. Exit code 3 on damage."""
    from metric_robustness.pipeline.cli.progress import counting
    from metric_robustness.pipeline.weights.declared import choose
    from metric_robustness.pipeline.weights.verify import verify as examine

    chosen = choose(names or [])
    here = [need for need in chosen if need.here]
    if names and (absent := [need for need in chosen if not need.here]):
        raise BenchError(f"{absent[0].name} is not here: run python -m pipeline weights fetch {absent[0].entries[0]}")
    with counting("verifying") as on_progress:
        verdicts = examine(here, on_progress)
    if as_json:
        found = [
            {"name": need.name, "sha256": sha256, "problem": problem, "note": note}
            for need, sha256, problem, note in verdicts
        ]
        print(json.dumps(found, indent=1))
    for verdict in verdicts:
        if verdict.problem:
            err.print(f"error: {verdict.line}", markup=False, soft_wrap=True)
        elif not as_json:
            out.print(f"{verdict.need.name}: {verdict.note}", markup=False, soft_wrap=True)
    bad = sum(bool(verdict.problem) for verdict in verdicts)
    err.print(f"{len(verdicts) - bad} of {len(verdicts)} files are right, {len(chosen) - len(here)} are not here")
    if bad:
        raise typer.Exit(Exit.FAILED)


@weights.command(epilog="Example: python -m pipeline weights unpin maniqa")
def unpin(
    names: Annotated[list[str], typer.Argument(help="Metrics, or files as the list names them.")],
) -> None:
    """Takes back what the first download of a file pinned, for a file that its authors have replaced.

    The file stays until `weights fetch --anew`, which pins what it then gets.
    """
    from metric_robustness.pipeline.weights.pins import unpin as take_back

    for name in take_back(names):
        out.print(f"{name} is pinned no more", markup=False, soft_wrap=True)


@weights.command(epilog="Example: python -m pipeline weights mirror /data/weights lpips dists")
def mirror(
    folder: Annotated[Path, typer.Argument(help="The folder to fill; it may be served by any web server.")],
    names: Names = None,
    source: MirrorOption = "",
    jobs: Jobs = 4,
) -> None:
    """Fills a folder with weight files and their SHA256SUMS, for machines without internet to fetch from."""
    from metric_robustness.pipeline.cli.progress import FetchBars
    from metric_robustness.pipeline.weights.declared import choose
    from metric_robustness.pipeline.weights.mirroring import MirrorFetcher

    needs = [need for need in choose(names or []) if not need.weight.own]  # every checkout has its own files
    with FetchBars(len(needs)) as bars:
        results = MirrorFetcher(folder, source, bars.on_progress).fetch(needs, jobs, bars.on_result)
    _end(results)


@weights.command("import", epilog="Example: python -m pipeline weights import ~/Downloads/ckpt_koniq10k.pt")
def import_files(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of them, such as another machine's cache.")],
    name: Annotated[str, typer.Option("--as", help="The declared name, where the file has another.")] = "",
) -> None:
    """Copies files that you have already to where the metrics look for them, after checking them."""
    from metric_robustness.pipeline.weights.importing import recognise, take

    results = []
    with err.status("checking and copying"):
        for result in take(recognise(files, name)):
            results.append(result)
            err.print(result.line, markup=False, soft_wrap=True)
    _end(results)


def _end(results: list[FetchResult]) -> None:
    """Prints the count and exits with the code of a failure, preferably one that another try cannot cure."""
    failed = [result for result in results if result.status == "failed"]
    err.print(f"{len(results) - len(failed)} of {len(results)} files are in their place")
    if failed:
        raise typer.Exit(min(result.exit_code for result in failed))


def _table(found: list[dict[str, Any]]) -> Table:
    """Returns the records as a table, in which licences are numbered."""
    from rich.table import Table

    numbers = {text: number for number, text in _licences(found).items()}
    table = Table(box=None, pad_edge=False)
    for column in ("", "sha256", "licence", "needed by"):
        table.add_column(column, no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True)
    table.add_column("file", overflow="fold")
    for record in found:
        first, *others = record["entries"]
        table.add_row(
            "[green]here" if record["here"] else "[yellow]missing",
            _check_of(record),
            numbers[record["licence"]],
            f"{first} +{len(others)}" if others else first,
            "" if record["size"] is None else f"{record['size'] / 1e6:.1f}",
            plain(record["name"]) + (" and all beside it" if record["whole_repository"] else ""),
        )
    return table


def _licences(found: list[dict[str, Any]]) -> dict[str, str]:
    """Returns the licences by their number, in the order of the list."""
    return {f"({number})": text for number, text in enumerate(dict.fromkeys(item["licence"] for item in found), 1)}


def _check_of(record: dict[str, Any]) -> str:
    """Returns how the file is checked, in a few words."""
    if record["sha256"]:
        return "known"
    if record["pinned"]:
        return "pinned"
    return "in its name" if record["sha256_begins"] else "at first use"
