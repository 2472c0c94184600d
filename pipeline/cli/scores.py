"""The commands that turn rows into scores, pages and plots: score, report, show, plot."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from metric_robustness.pipeline.cli.completion import any_names
from metric_robustness.pipeline.cli.options import RESULTS, Json, register
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.found import Kind
from metric_robustness.pipeline.scoring.plots.widths import Width
from metric_robustness.pipeline.terminal import answers, err, out

From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="The folder, of `run --out` or another; default: the one of build/*, or results/ if there is none.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(app, RESULTS, score, "score build/demo --json")
    register(app, RESULTS, report, "report build/demo --out build/site")
    register(app, RESULTS, show, "show niqe ssim")
    register(app, RESULTS, plot, "plot heatmap --width column --out heatmap.pdf")


def show(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="A metric, an attack, or two metrics to compare; a folder.", autocompletion=any_names),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="Rank by the worst case within this many 255ths, instead of 10.")
    ] = None,
    worse: Annotated[bool, typer.Option("--worse", help="Rank by how far attacks lower the score.")] = False,
    folder: From = None,
    as_json: Json = False,
) -> None:
    """Shows the leaderboard, a metric's profile, an attack's gains, or two metrics side by side."""
    from metric_robustness.pipeline.scoring.tables.board_file import read_board
    from metric_robustness.pipeline.scoring.tables.show import ordered, rendered
    from metric_robustness.pipeline.scoring.tables.write import print_defences, what_defences_did

    names, source = _apart(names or [], folder)
    parts = ordered(read_board(source), names, budget, worse=worse)
    if as_json:
        print(json.dumps(parts, indent=1, ensure_ascii=False))
        return
    console = answers()
    for part in parts:
        for line in rendered(part):
            console.print(line)
    if not (names or budget or worse):
        with suppress(BenchError):  # a folder of tables alone has no rows
            print_defences(*what_defences_did([source]), console)
    _say_from(source)


def plot(
    kind: Annotated[Kind, typer.Argument(help="What to draw.")],
    out_file: Annotated[Path, typer.Option("--out", help="A .pdf, .svg or .png.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Metrics; of a scatter, two attacks; a folder.", autocompletion=any_names),
    ] = None,
    folder: From = None,
    width: Annotated[
        Width, typer.Option(help="As wide as a column or a page of a paper: 3.25 or 6.875 in; text has 8 points.")
    ] = "page",
) -> None:
    """Draws tables for a paper: vectors, embedded fonts, colours that the colour-blind can distinguish."""
    from metric_robustness.pipeline.scoring.plots.write import write_plot

    names, source = _apart(names or [], folder)
    drawn = write_plot(kind, names, source, out_file, width)
    for note in drawn.notes:
        err.print(f"note: {note}", markup=False, soft_wrap=True)
    size = f"{drawn.width:g} x {drawn.height:.2f} in"
    err.print(f"wrote {out_file}, {size}, from {source}", markup=False, soft_wrap=True)


def score(
    paths: Annotated[list[Path] | None, typer.Argument(help="Output folders of run, or CSV files of rows.")] = None,
    folder: From = None,
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
    from metric_robustness.pipeline.scoring.tables.board_file import default_folder
    from metric_robustness.pipeline.scoring.tables.score_report import score_paths

    sources = [*(paths or []), *([folder] if folder else [])] or [default_folder()]
    with err.status("scoring"):
        report = score_paths(sources, scaling, parity=parity, lower_is_better=lower_is_better, scale_to=scale_to)
    for note in report.notes:
        err.print(f"note: {note}", markup=False, soft_wrap=True)
    if as_json:
        print(report.to_json())
    else:
        answers().print(report.table())
    _say_from(*sources)


def report(
    out_folder: Annotated[Path, typer.Option("--out", help="Where the pages go; open its index.html.")],
    path: Annotated[Path | None, typer.Argument(metavar="[FOLDER]", help="An output folder of run.")] = None,
    folder: From = None,
) -> None:
    """Makes pages of a run's rows that need no server, with the tables and rows to download."""
    from metric_robustness.pipeline.scoring.tables.write import write_tables
    from metric_robustness.pipeline.site.build import require_own_pages, write_site

    _, source = _apart([str(path)] if path else [], folder)
    require_own_pages(out_folder)
    with err.status("writing the pages"):
        write_site(write_tables([source], out_folder), source, out_folder)
    out.print(f"open {out_folder / 'index.html'}", markup=False, soft_wrap=True)
    _say_from(source)


def _apart(names: list[str], folder: Path | None) -> tuple[list[str], Path]:
    """Returns the names without the folder that stands among them, and the folder to read.

    Raises:
        BenchError: If it is given twice, or not at all where several could be meant.
    """
    from metric_robustness.pipeline.scoring.tables.board_file import default_folder

    found = [name for name in names if "/" in name or Path(name).is_dir()]
    given = [*map(Path, found), *([folder] if folder else [])]
    if len(given) > 1:
        raise BenchError(f"there must be one folder to read; got {', '.join(map(str, given))}: name one")
    return [name for name in names if name not in found], given[0] if given else default_folder()


def _say_from(*sources: Path) -> None:
    err.print(f"from {', '.join(map(str, sources))}", markup=False, soft_wrap=True)
