"""What the plots of defences share: lines of defences.csv, heat maps and curves, each for both settings side by side.

The figures are those of Gushchin et al. 2024, https://arxiv.org/abs/2404.06957.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError, suggestion
from metric_robustness.pipeline.scoring.plots.style import COLOURS, SHADES
from metric_robustness.pipeline.scoring.read.cells import StoredCell, find_cells, read_cell
from metric_robustness.pipeline.scoring.scores.defences import NONE, each_image
from metric_robustness.pipeline.scoring.scores.ranges import read_ranges

SETTINGS = {"non-adaptive": "attacks that do not know the defence", "adaptive": "attacks that know it"}
CLEAR = "clear"
MOST = 6  # defences of a panel: as many as there are colours, without black, which is the bare metric's
NUMBERS = ("shift", "quality", "clean_shift", "srocc_clear", "srocc_attacked")  # the columns that are drawn


def lines_of(names: Sequence[str], folder: Path) -> pd.DataFrame:
    """Returns the lines of defences.csv under default settings, of the named metrics, all if none is named.

    Raises:
        BenchError: If there is no such file, an older version wrote it, a name is unknown, or there is no line.
    """
    path = folder / "defences.csv"
    if not path.is_file():
        raise BenchError(f"{folder} must hold defences.csv; got none: run with --defences first, or name a --from")
    lines = pd.read_csv(path, keep_default_na=False, na_values={name: [""] for name in NUMBERS})
    if missing := set(NUMBERS) - set(lines.columns):
        raise BenchError(
            f"{path} must be of this version; it lacks {', '.join(sorted(missing))}: write it again with run"
        )
    return of_metrics(names, lines[lines["variant"] == ""])


def of_metrics(names: Sequence[str], lines: pd.DataFrame) -> pd.DataFrame:
    """Returns the lines of the named metrics, all if none is named.

    Raises:
        BenchError: If a name is unknown, or there is no line.
    """
    known = dict.fromkeys(sorted(lines["metric"].unique()))
    for name in names:
        if name not in known:
            raise BenchError(f"no metric with defences is named {name!r}: {suggestion(name, known)}")
    found = lines[lines["metric"].isin(names)] if names else lines
    if found.empty:
        raise BenchError("there must be a defence to draw; got none: run with --defences first")
    return found


def beside_none(lines: pd.DataFrame, setting: str) -> pd.DataFrame:
    """Returns the lines of a setting, and those of the bare metric to compare them with."""
    return lines[lines["setting"].isin([setting, "undefended"])]


def best_first(lines: pd.DataFrame) -> list[str]:
    """Returns the bare metric, then the defences, smallest mean shift first; of its settings the worst counts."""
    worst = lines.groupby(["defence", "setting"])["shift"].mean().groupby("defence").max()
    return [NONE, *(str(name) for name in worst.drop(NONE, errors="ignore").sort_values(kind="stable").index)]


def maps(lines: pd.DataFrame, value: str, on_clear: str, label: str) -> Figure:
    """Draws a row per metric and data set, and in it a heat map per setting: defences by attacks and `clear`."""
    shown, titles = [], []
    for (metric, dataset), own in lines.groupby(["metric", "dataset"]):
        tables = []
        for setting in SETTINGS:
            chosen = beside_none(own, setting)
            table = chosen.pivot_table(index="defence", columns="attack", values=value, aggfunc="mean", dropna=False)
            table[CLEAR] = chosen.groupby("defence")[on_clear].mean()
            attacks = sorted(own["attack"].unique())
            tables.append(table.reindex(index=best_first(own), columns=[*attacks, CLEAR]))
        shown.append(tables)
        titles.append(f"{metric}, {dataset}\n")
    return shaded(shown, titles, label)


def shaded(rows: Sequence[Sequence[pd.DataFrame]], titles: Sequence[str], label: str) -> Figure:
    """Draws tables as heat maps with one scale; what was not run is white and reads n/a."""
    heights = [max(2.4, 1.6 + 0.22 * len(tables[0])) for tables in rows]
    width = 2.6 + 2 * max(0.42 * len(table.columns) for tables in rows for table in tables)
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    panels = figure.subplots(len(rows), len(SETTINGS), squeeze=False, height_ratios=heights, sharey="row")
    every = np.concatenate([table.to_numpy(float).ravel() for tables in rows for table in tables])
    low, high = min(0.0, np.nanmin(every, initial=0)), max(1e-6, np.nanmax(every, initial=0))
    for axes_of_row, tables, title in zip(panels, rows, titles, strict=True):
        for axes, table, words in zip(axes_of_row, tables, SETTINGS.values(), strict=True):
            _shade(axes, table, low, high)
            axes.set_title(title + words, loc="left", fontsize=7)
    figure.colorbar(panels[0, 0].images[0], ax=panels, label=label, shrink=0.8)
    return figure


def _shade(axes: Axes, table: pd.DataFrame, low: float, high: float) -> None:
    values = table.to_numpy(float)
    axes.imshow(values, cmap=SHADES, vmin=low, vmax=high, aspect="auto")
    axes.set_xticks(range(len(table.columns)), list(map(str, table.columns)), rotation=45, ha="right")
    axes.set_yticks(range(len(table)), list(map(str, table.index)))
    for (i, j), value in np.ndenumerate(values):
        text = "n/a" if math.isnan(value) else f"{value:.2f}"
        dark = value < (low + high) / 2  # False for nan, whose cell is white
        axes.text(j, i, text, ha="center", va="center", fontsize=5, color="white" if dark else "black")


def curves(
    names: Sequence[str],
    folder: Path,
    curve: Callable[[pd.DataFrame], tuple[Sequence[float], Sequence[float]]],
    across: str,
) -> Figure:
    """Draws a row per metric and data set, and in it a panel per setting: a line each for the bare metric and defences.

    Args:
        names: The metrics, all if none is named.
        folder: The run folder.
        curve: Returns the x and the y values of a line, from what a defence did on every image.
        across: The label of the x axis.

    Raises:
        BenchError: If a name is unknown, or there is no defence.
    """
    images = of_metrics(names, _images(folder))
    groups = list(images.groupby(["metric", "dataset"]))
    figure = Figure(figsize=(8, 2.6 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), len(SETTINGS), squeeze=False, sharex="row", sharey="row")
    for axes_of_row, ((metric, dataset), own) in zip(panels, groups, strict=True):
        with_defence = own[own["defence"] != NONE]
        best = with_defence.groupby("defence")["shift"].mean().sort_values(kind="stable").index
        for axes, (setting, words) in zip(axes_of_row, SETTINGS.items(), strict=True):
            for place, defence in enumerate([NONE, *best[:MOST]]):
                part = own[(own["defence"] == defence) & own["setting"].isin([setting, "undefended"])]
                colour, line = (COLOURS[-1], "--") if defence == NONE else (COLOURS[place - 1], "-")
                if len(part):
                    axes.plot(*curve(part), line, color=colour, marker="", linewidth=1, label=defence)
            axes.set_title(f"{metric}, {dataset}\n{words}", loc="left", fontsize=7)
            axes.set_xlabel(across)
        lines = {str(line.get_label()): line for axes in axes_of_row for line in axes.lines}
        axes_of_row[-1].legend(
            lines.values(),
            lines.keys(),
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            frameon=False,
            fontsize=6,
            title=_how_many(len(best)),
            title_fontsize=6,
        )
        axes_of_row[0].set_ylabel("mean shift, in parts of the range")
    return figure


def _how_many(defences: int) -> str:
    return f"the best {MOST} of {defences} defences" if defences > MOST else ""


def _images(folder: Path) -> pd.DataFrame:
    """Returns what defences did on every image, of the cells of a run folder."""
    cells = [read_cell(path) for path in find_cells([folder])]
    return each_image(_of_defences(cells), read_ranges())


def _of_defences(cells: Sequence[StoredCell]) -> list[StoredCell]:
    """Returns the cells of the metrics that have defences."""
    metrics = {cell.metric.partition("+")[0] for cell in cells if "+" in cell.metric or len(cell.defended)}
    return [cell for cell in cells if cell.metric.partition("+")[0] in metrics]
