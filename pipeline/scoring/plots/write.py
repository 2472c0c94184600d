"""Draws a plot of a folder's tables and writes it; the same tables give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError, suggestion
from metric_robustness.pipeline.files import write_atomically
from metric_robustness.pipeline.scoring.plots.found import KINDS, Kind, module_of
from metric_robustness.pipeline.scoring.plots.layout.crowding import crowded
from metric_robustness.pipeline.scoring.plots.style import STYLE, UNDATED
from metric_robustness.pipeline.scoring.plots.widths import PAGE_HEIGHT, WIDTHS, Width


@dataclass(frozen=True)
class Drawn:
    """What was written: its size in inches, and what a reader of it will miss."""

    width: float
    height: float
    notes: list[str]


def write_plot(kind: Kind, names: Sequence[str], folder: Path, out: Path, width: Width = "page") -> Drawn:
    """Draws tables of a folder and writes the plot, in the size in which it is to be printed.

    Args:
        kind: One of `found.KINDS`; the docstring of its file says what it shows.
        names: Metrics, all if none is given; of a scatter, the two attacks.
        folder: What `run`, `aggregate` or `fetch` wrote.
        out: A .pdf, .svg or .png.
        width: Of the figure, one of `style.WIDTHS`.

    Raises:
        BenchError: If there are no tables, a name is unknown, or nothing can be drawn.
    """
    if out.suffix not in UNDATED:
        raise BenchError(f"--out must end in {', '.join(UNDATED)}; got {out.name!r}: rename it")
    if kind not in KINDS:
        raise BenchError(f"no plot is named {kind!r}: {suggestion(kind, dict(KINDS))}")
    draw: Callable[[Sequence[str], Path, float], Figure] = import_module(module_of(kind)).draw
    with mpl.rc_context(STYLE):
        figure = draw(names, folder, WIDTHS[width])
        notes = list(_notes(figure, width))
        packed = io.BytesIO()
        figure.savefig(packed, format=out.suffix[1:], metadata=UNDATED[out.suffix], dpi=300)
    write_atomically(out, packed.getvalue())
    return Drawn(figure.get_figwidth(), figure.get_figheight(), notes)


def _notes(figure: Figure, width: Width) -> Iterator[str]:
    """Yields what is wrong with a figure of a width, and what to do about it."""
    remedy = "name fewer metrics" if width == "page" else "draw it with --width page, or name fewer metrics"
    if texts := crowded(figure):
        shown = ", ".join(texts[:3]) + (" and others" if len(texts) > 3 else "")
        yield f"texts have too little room ({shown}): {remedy}"
    if (height := figure.get_figheight()) > PAGE_HEIGHT:
        yield f"{height:.1f} in are higher than a page, {PAGE_HEIGHT}: {remedy}"
