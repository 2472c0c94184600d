"""The commands that show and draw tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.scoring.kinds import Kind
from pipeline.terminal import err, out

WIDE = 200  # columns of text that is piped into another program
From = Annotated[
    Path | None, typer.Option("--from", help="A folder of tables; default: the newest of build/*, or results/.")
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    app.command(epilog="Example: python -m pipeline show niqe ssim")(show)
    app.command(epilog="Example: python -m pipeline plot heatmap --out heatmap.pdf")(plot)


def show(
    names: Annotated[list[str] | None, typer.Argument(help="A metric, an attack, or two metrics to compare.")] = None,
    folder: From = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Shows the leaderboard, a metric's profile, an attack's gains, or two metrics side by side."""
    from pipeline.scoring.show import chosen, default_folder, read_board, rendered

    source = folder or default_folder()
    parts = chosen(read_board(source), names or [])
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
    """Draws tables for a paper: vectors, fonts inside, colours that the colour-blind tell apart."""
    from pipeline.scoring.plots import write_plot
    from pipeline.scoring.show import default_folder

    source = folder or default_folder()
    write_plot(kind, names or [], source, out_file)
    err.print(f"wrote {out_file} from {source}", markup=False, soft_wrap=True)
