"""python -m pipeline data: the data sets of benchmark.yml."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metric_robustness.pipeline.cli.options import Json
from metric_robustness.pipeline.errors import BenchError, Exit
from metric_robustness.pipeline.terminal import answers, counted, err, folding, out, plain, print_folded

if TYPE_CHECKING:
    from metric_robustness.pipeline.config import DatasetConfig

data = typer.Typer(
    no_args_is_help=True, help="The data sets: which there are, where to get them, whether they are whole."
)

Names = Annotated[list[str] | None, typer.Argument(help="Data sets of benchmark.yml; default: all.")]


@data.command("list", epilog="Example: python -m pipeline data list")
def list_datasets(names: Names = None, as_json: Json = False) -> None:
    """Lists data sets: how many images the benchmark takes, whether they are here, which hashes are known."""
    found = _records(names)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    table = folding({"name": 12, "images": 7, "": 7, "hashes": 22, "title": 80}, right=("images",))
    for row in found:
        table.add_row(
            row["name"],
            f"{row['images']:,}",
            "[green]here" if row["here"] else "[yellow]missing",
            _known(row),
            plain(row["title"]),
        )
    answers().print(table)


@data.command(epilog="Example: python -m pipeline data where coco")
def where(names: Names = None, as_json: Json = False) -> None:
    """Tells where to get data sets, under which licence, and where to put them."""
    found = _records(names)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for row in found:
        facts = [row["title"], f"source:  {row['source']}", f"licence: {row['licence']}", f"folder:  {row['folder']}"]
        facts += [f"file:    {row['download']}"] if row["download"] else []
        out.print("\n  ".join([row["name"], *facts]), markup=False, soft_wrap=True)


@data.command(epilog="Example: python -m pipeline data verify nips2017, or: data verify coco --download train2017.zip")
def verify(
    names: Names = None,
    download: Annotated[
        Path | None, typer.Option(help="The archive or clip itself, before it is unpacked: is it what was published?")
    ] = None,
    as_json: Json = False,
) -> None:
    """Counts the images of data sets, and compares sha256 with the manifests'. Exit code 3 if anything is wrong."""
    from metric_robustness.pipeline.cli.progress import counting
    from metric_robustness.pipeline.data.verify import named, verify_download
    from metric_robustness.pipeline.data.verify import verify as examine

    if download:
        if len(names or []) != 1 or as_json:
            raise BenchError("--download must stand beside one data set's name: write data verify coco --download FILE")
        for name, about in named(names or []).items():
            with counting(name) as on_progress:
                finding = verify_download(name, about, download, on_progress)
            out.print(finding, markup=False, soft_wrap=True)
        return
    verdicts = []
    for name, about in named(names or []).items():
        if names or about.folder().is_dir():
            with counting(name) as on_progress:
                verdicts.append(examine(name, about, on_progress))
        elif not as_json:
            err.print(f"{name} is not here", markup=False)
    if as_json:
        print(json.dumps([verdict.__dict__ for verdict in verdicts], indent=1))
    else:
        for verdict in verdicts:
            out.print(verdict.line, markup=False, soft_wrap=True)
            for file, problem in verdict.problems.items():
                err.print(f"error: {file} {problem}" if file else f"error: {problem}", markup=False, soft_wrap=True)
    if any(verdict.problems for verdict in verdicts):
        raise typer.Exit(Exit.FAILED)


@data.command(epilog="Example: python -m pipeline data pin nips2017")
def pin(names: Names = None) -> None:
    """Writes the manifests of data sets from the files on this machine, to be committed: names and sha256.

    From then on another file of a name is refused, and files that are added change no subset.
    """
    from metric_robustness.pipeline.cli.progress import counting
    from metric_robustness.pipeline.data.verify import named
    from metric_robustness.pipeline.data.verify import pin as write

    if not names:
        raise BenchError("pin must be given data sets: write python -m pipeline data pin nips2017")
    for name, about in named(names).items():
        with counting(name) as on_progress:
            path = write(name, about, on_progress)
        out.print(f"wrote {path}", markup=False, soft_wrap=True)


@data.command(epilog="Example: python -m pipeline data ladder photos --codec libx264:crf=45,38,31,24,17 --out rungs")
def ladder(
    dataset: Annotated[str, typer.Argument(help="Photographs: a data set's name, a folder or a file.")],
    out_folder: Annotated[Path, typer.Option("--out", help="A new folder.")],
    codec: Annotated[
        str, typer.Option(help="JPEG or an encoder of FFmpeg with its qualities, the worst first.")
    ] = "jpeg:quality=10,30,50,70,90",
    limit: Annotated[int | None, typer.Option(min=1, help="Take this many photographs.")] = None,
) -> None:
    """Encodes photographs at several qualities, for `run --dataset ladder:CSV`: which attacked one overtakes a better?

    The folder gets the photographs, what a decoder shows of each encoding, and ladder.csv.
    """
    from metric_robustness.pipeline.cli.progress import counting
    from metric_robustness.pipeline.data.ladder_maker import make_ladder

    with counting("encoding") as on_progress:
        made = make_ladder(dataset, codec, out_folder, limit, on_progress)
    print_folded([f"excluded: {name}: {reason}" for name, reason in made.excluded.items()], "the folder")
    for place, (step, size) in enumerate(made.sizes.items(), 1):
        out.print(f"rung {place}: {step}, {size:,.0f} bytes a photograph", markup=False, soft_wrap=True)
    photographs = counted(made.photographs, "photograph")
    out.print(f"wrote {photographs}: run --dataset {quote(f'ladder:{made.csv}')}", markup=False, soft_wrap=True)


def _records(names: list[str] | None) -> list[dict[str, Any]]:
    from metric_robustness.pipeline.data.verify import named

    return [_record(name, about) for name, about in named(names or []).items()]


def _record(name: str, about: DatasetConfig) -> dict[str, Any]:
    from metric_robustness.pipeline.data import pins

    return {
        "name": name,
        "title": about.title,
        "images": about.takes,
        "here": about.folder().is_dir(),
        "pinned": len(pins.read(name)),
        "folder": str(about.folder()),
        "source": about.source,
        "download": about.download.summary if about.download else None,
        "download_hash": about.download.hash[0] if about.download and about.download.hash else None,
        "licence": about.licence,
    }


def _known(row: dict[str, Any]) -> str:
    """Returns which hashes of a data set are known, in words."""
    if row["pinned"]:
        return f"{row['pinned']:,} known"
    return f"{row['download_hash']} of the download" if row["download_hash"] else "not known"
