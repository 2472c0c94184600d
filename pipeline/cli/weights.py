"""python -m pipeline weights: the files that metrics load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import Json
from pipeline.errors import BenchError, Exit
from pipeline.terminal import err, out

if TYPE_CHECKING:
    from pipeline.weights.fetching import FetchResult

weights = typer.Typer(
    no_args_is_help=True, help="The weight files of the metrics: list, fetch, verify, mirror, import."
)

Names = Annotated[
    list[str] | None, typer.Argument(help="Metrics, or files as the list names them; everything if left out.")
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
    missing: Annotated[bool, typer.Option("--missing", help="Only what is not here.")] = False,
    as_json: Json = False,
) -> None:
    """Lists weight files: which metric needs them, size, licence, how they are checked, and whether they are here."""
    from pipeline.weights.declared import choose
    from pipeline.weights.table import licences, records, table

    found = [record for record in records(choose(names or [])) if not (missing and record["here"])]
    if as_json:
        print(json.dumps(found, indent=1))
        return
    out.print(table(found))
    for number, licence in licences(found).items():
        out.print(f"{number} {licence}", markup=False, soft_wrap=True)
    here = sum(record["here"] for record in found)
    err.print(f"{here} of {len(found)} files are here")


@weights.command(epilog="Example: python -m pipeline weights fetch maniqa --mirror /data/weights")
def fetch(
    names: Names = None,
    mirror: MirrorOption = "",
    jobs: Jobs = 4,
    anew: Annotated[bool, typer.Option("--anew", help="Also what is here and looks right.")] = False,
) -> None:
    """Fetches weight files to where the metrics look for them. What is here already is checked and kept.

    A file whose sha256 nobody knows is trusted the first time; its sha256 is pinned on this machine, and later fetches
    are checked against it.
    """
    from pipeline.weights.declared import choose
    from pipeline.weights.display import Transfers
    from pipeline.weights.fetching import Fetcher

    needs = choose(names or [])
    with Transfers(len(needs)) as shown:
        results = Fetcher(None, mirror, shown.hear, anew=anew).fetch(
            needs, jobs, lambda result: shown.finish(result.need, result.line)
        )
    _end(results)


@weights.command(epilog="Example: python -m pipeline weights verify lpips_squeeze")
def verify(names: Names = None, as_json: Json = False) -> None:
    """Hashes the weight files that are here again, and opens each in a process of its own. Exit code 3 on damage."""
    from pipeline.weights.declared import choose
    from pipeline.weights.display import counted
    from pipeline.weights.verify import verify as examine

    chosen = choose(names or [])
    here = [need for need in chosen if need.here]
    if names and (absent := [need for need in chosen if not need.here]):
        raise BenchError(f"{absent[0].name} is not here: run python -m pipeline weights fetch {absent[0].entries[0]}")
    with counted("verifying") as progress:
        task = progress.add_task("", total=len(here))
        verdicts = examine(here, lambda _: progress.advance(task))
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


@weights.command(epilog="Example: python -m pipeline weights mirror /data/weights lpips dists")
def mirror(
    folder: Annotated[Path, typer.Argument(help="The folder to fill; it may be served by any web server.")],
    names: Names = None,
    source: MirrorOption = "",
    jobs: Jobs = 4,
) -> None:
    """Fills a folder with weight files and their SHA256SUMS, for machines without internet to fetch from."""
    from pipeline.weights.declared import choose
    from pipeline.weights.display import Transfers
    from pipeline.weights.mirroring import MirrorFetcher

    needs = [need for need in choose(names or []) if not need.weight.own]  # those of the checkout are in every checkout
    with Transfers(len(needs)) as shown:
        fetcher = MirrorFetcher(folder, source, shown.hear)
        results = fetcher.fetch(needs, jobs, lambda result: shown.finish(result.need, result.line))
    _end(results)


@weights.command("import", epilog="Example: python -m pipeline weights import ~/Downloads/ckpt_koniq10k.pt")
def import_files(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of them, such as another machine's cache.")],
    name: Annotated[str, typer.Option("--as", help="The declared name, where the file has another.")] = "",
) -> None:
    """Copies files that you have already to where the metrics look for them, after checking them."""
    from pipeline.weights.importing import recognise, take

    results = []
    with err.status("checking and copying"):
        for result in take(recognise(files, name)):
            results.append(result)
            err.print(result.line, markup=False, soft_wrap=True)
    _end(results)


def _end(results: list[FetchResult]) -> None:
    """Ends with the count, and the exit code of the failure that another try cannot cure, if there is one."""
    failed = [result for result in results if result.status == "failed"]
    err.print(f"{len(results) - len(failed)} of {len(results)} files are in their place")
    if failed:
        raise typer.Exit(min(result.exit_code for result in failed))
