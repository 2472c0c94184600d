"""Heat maps as the plots share them: numbers in the cells where they fit at full size, one colour bar below."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, Normalize, to_rgb
from matplotlib.figure import Figure

from metric_robustness.pipeline.scoring.plots.layout.panels import (
    INCH,
    LINE,
    folded,
    inches,
    side_by_side,
    small_multiples,
)
from metric_robustness.pipeline.scoring.plots.layout.signed import number, signed_ticks
from metric_robustness.pipeline.scoring.plots.style import ABSENT, SHADES, SIGNED_SHADES

ROOM = 4.0  # points of a cell that its number leaves free
BAR = 0.6  # inches that the colour bar and a label of one line take
THICK = 0.1  # inches of the bar alone
MARGIN = 0.2  # inches beside the names of rows
DARK = 0.18  # luminance below which white is easier to read than black


def from_zero(values: np.ndarray) -> Normalize:
    """Returns colours for numbers that are seldom below 0."""
    return Normalize(min(0.0, float(np.nanmin(values, initial=0))), max(1e-6, float(np.nanmax(values, initial=0))))


def heat_maps(
    tables: Mapping[str, pd.DataFrame],
    width: float,
    label: str,
    scale: Callable[[np.ndarray], Normalize],
    *,
    least: float,
    marks: Mapping[str, Mapping[tuple[int, int], str]] | None = None,
) -> Figure:
    """Draws tables as heat maps with one scale; a cell without a number is grey.

    Args:
        tables: By title; their index and columns are what is written beside and below.
        width: Of the figure, in inches.
        label: Of the colour bar.
        scale: `signed.around_zero` or `from_zero`.
        least: Width that a panel must have, in inches.
        marks: By title, what to write in cells without a number, by row and column.
    """
    names = max(inches(str(name)) for table in tables.values() for name in table.columns)
    beside = max(inches(str(name)) for table in tables.values() for name in table.index)
    room = width / side_by_side(len(tables), width, least) - beside - MARGIN  # for cells, in inches
    titles = [folded(title, room) for title in tables]
    above = LINE * max(title.count("\n") + 2 for title in titles)
    heights = [LINE * len(table) for table in tables.values()]
    figure, panels = small_multiples(heights, width, least, names + above)
    norm = scale(np.concatenate([table.to_numpy(float).ravel() for table in tables.values()]))
    shades = SIGNED_SHADES if isinstance(norm, AsinhNorm) else SHADES
    for axes, title, table in zip(panels, titles, tables.values(), strict=True):
        axes.set_facecolor(ABSENT)
        axes.imshow(table.to_numpy(float), cmap=shades, norm=norm, aspect="auto")
        axes.set_xticks(range(len(table.columns)), list(map(str, table.columns)), rotation=90)
        axes.set_yticks(range(len(table)), list(map(str, table.index)))
        axes.tick_params(length=0, pad=2)
        axes.set_title(title)
    _bar(figure, panels, norm, label)
    figure.draw_without_rendering()  # only now is known how large a cell is
    room = min(_cell_width(axes, table) for axes, table in zip(panels, tables.values(), strict=True))
    write = next((form for form in (number, _short) if _widest(tables.values(), form) <= room), None)
    for axes, (title, table) in zip(panels, tables.items(), strict=True):
        if write:
            _write_numbers(axes, table, write)
        for (i, j), mark in (marks or {}).get(title, {}).items():
            axes.text(j, i, mark, ha="center", va="center")
    return figure


def _bar(figure: Figure, panels: Sequence[Axes], norm: Normalize, label: str) -> None:
    """Draws the colour bar below all panels; the figure grows by it."""
    width, height = figure.get_size_inches()
    label = folded(label, width / 2)
    figure.set_figheight(height + BAR + LINE * label.count("\n"))
    bar = figure.colorbar(
        panels[0].images[0], ax=panels, label=label, location="bottom", aspect=width / THICK, pad=THICK / height
    )
    if isinstance(norm, AsinhNorm):
        ticks = signed_ticks(norm.vmin or 0, norm.vmax or 0, width / 2)
        bar.set_ticks(ticks, labels=[number(tick, None) for tick in ticks])
        bar.minorticks_off()


def _cell_width(axes: Axes, table: pd.DataFrame) -> float:
    """Returns what a cell has room for, in inches."""
    return float(axes.get_window_extent().width) / axes.figure.dpi / len(table.columns) - ROOM / INCH


def _widest(tables: Iterable[pd.DataFrame], form: Callable[[float], str]) -> float:
    values = {float(value) for table in tables for value in table.to_numpy(float).ravel() if not math.isnan(value)}
    return max((inches(form(value)) for value in values), default=0.0)


def _write_numbers(axes: Axes, table: pd.DataFrame, form: Callable[[float], str]) -> None:
    shown = axes.images[0]
    for (i, j), value in np.ndenumerate(table.to_numpy(float)):
        if not math.isnan(value):
            colour = "white" if _luminance(to_rgb(tuple(shown.cmap(shown.norm(value))))) < DARK else "black"
            axes.text(j, i, form(float(value)), ha="center", va="center", color=colour)


def _luminance(colour: Sequence[float]) -> float:
    """Returns the luminance of an sRGB colour, from 0 to 1, as the contrast of WCAG 2 is computed from it."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _short(value: float) -> str:
    """Returns a number in less room: two digits, without the 0 before the point."""
    return number(value).replace("0.", ".", 1) if abs(value) < 0.995 else number(value, 1)
