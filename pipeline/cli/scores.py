"""The commands that turn rows into scores, pages and plots: score, report, show, plot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from metric_robustness.pipeline.cli.options import Json, register
from metric_robustness.pipeline.scoring.plots.found import Kind
from metric_robustness.pipeline.terminal import err, out

WIDE = 200  # columns of text that goes to a file or another program
From = Annotated[
    Path | None, typer.Option("--from", help="A folder of tables; default: the newest of build/*, or results/.")
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(app, score, "score build/demo --json")
    register(app, report, "report build/demo --out build/site")
    register(app, show, "show niqe ssim")
    register(app, plot, "plot heatmap --out heatmap.pdf")


def show(
    names: Annotated[list[str] | None, typer.Argument(help="A metric, an attack, or two metrics to compare.")] = None,
    budget: Annotated[
        int | None, typer.Option(help="Rank by the worst case within this many 255ths, instead of 10.")
    ] = None,
    worse: Annotated[bool, typer.Option("--worse", help="Rank by how far attacks lower the score.")] = False,
    folder: From = None,
    as_json: Json = False,
) -> None:
    """Shows the leaderboard, a metric's profile, an attack's gains, or two metrics side by side."""
    from metric_robustness.pipeline.scoring.tables.board_file import default_folder, read_board
    from metric_robustness.pipeline.scoring.tables.show import ordered, rendered

    source = folder or default_folder()
    parts = ordered(read_board(source), names or [], budget, worse=worse)
    if as_json:
        print(json.dumps(parts, indent=1, ensure_ascii=False))
        return
    console = out if out.is_terminal else Console(width=WIDE, highlight=False)
    for part in parts:
        for line in rendered(part):
            console.print(line)
    err.print(f"from {source}", markup=False, soft_wrap=True)


def plot(
    kind: Annotated[Kind, typer.Argument(help="What to draw.")],
    out_file: Annotated[Path, typer.Option("--out", help="A .pdf, .svg or .png.")],
    names: Annotated[list[str] | None, typer.Argument(help="Metrics; of a scatter, two attacks.")] = None,
    folder: From = None,
) -> None:
    """Draws tables for a paper: vectors, embedded fonts, colours that the colour-blind can distinguish."""
    from metric_robustness.pipeline.scoring.plots.write import write_plot
    from metric_robustness.pipeline.scoring.tables.board_file import default_folder

    source = folder or default_folder()
    write_plot(kind, names or [], source, out_file)
    err.print(f"wrote {out_file} from {source}", markup=False, soft_wrap=True)


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
    from metric_robustness.pipeline.scoring.tables.score_report import score_paths

    with err.status("scoring"):
        report = score_paths(paths, scaling, parity=parity, lower_is_better=lower_is_better, scale_to=scale_to)
    for note in report.notes:
        err.print(f"note: {note}", markup=False, soft_wrap=True)
    if as_json:
        print(report.to_json())
    else:
        out.print(report.table())


def report(
    folder: Annotated[Path, typer.Argument(help="An output folder of run.")],
    out_folder: Annotated[Path, typer.Option("--out", help="Where the pages go; open its index.html.")],
) -> None:
    """Makes pages of a run's rows that need no server, with the tables and rows to download."""
    from metric_robustness.pipeline.scoring.tables.write import write_tables
    from metric_robustness.pipeline.site.build import require_own_pages, write_site

    require_own_pages(out_folder)
    with err.status("writing the pages"):
        write_site(write_tables([folder], out_folder), folder, out_folder)
    out.print(f"open {out_folder / 'index.html'}", markup=False, soft_wrap=True)
