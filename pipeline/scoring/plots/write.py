"""Draws a plot of a folder's tables and writes it; the same tables give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError, suggestion
from metric_robustness.pipeline.files import write_atomically
from metric_robustness.pipeline.scoring.plots.found import KINDS, Kind, module_of
from metric_robustness.pipeline.scoring.plots.style import STYLE, UNDATED


def write_plot(kind: Kind, names: Sequence[str], folder: Path, out: Path) -> None:
    """Draws tables of a folder and writes the plot.

    Args:
        kind: One of `found.KINDS`; the docstring of its file says what it shows.
        names: Metrics, all if none is given; of a scatter, the two attacks.
        folder: What `run`, `aggregate` or `fetch` wrote.
        out: A .pdf, .svg or .png.

    Raises:
        BenchError: If there are no tables, a name is unknown, or nothing can be drawn.
    """
    if out.suffix not in UNDATED:
        raise BenchError(f"--out must end in {', '.join(UNDATED)}; got {out.name!r}: rename it")
    if kind not in KINDS:
        raise BenchError(f"no plot is named {kind!r}: {suggestion(kind, dict(KINDS))}")
    draw: Callable[[Sequence[str], Path], Figure] = import_module(module_of(kind)).draw
    with mpl.rc_context(STYLE):
        figure = draw(names, folder)
        packed = io.BytesIO()
        figure.savefig(packed, format=out.suffix[1:], metadata=UNDATED[out.suffix], bbox_inches="tight", dpi=200)
    write_atomically(out, packed.getvalue())
