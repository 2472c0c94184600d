"""What the plots of defences share: lines of defences.csv, heat maps and curves, a panel per setting.

The figures are those of Gushchin et al. 2024, https://arxiv.org/abs/2404.06957.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError, suggestion
from metric_robustness.pipeline.scoring.plots.layout.panels import (
    folded,
    legend_below,
    share_axes,
    side_by_side,
    small_multiples,
)
from metric_robustness.pipeline.scoring.plots.style import COLOURS
from metric_robustness.pipeline.scoring.read.cells import StoredCell, find_cells, read_cell
from metric_robustness.pipeline.scoring.scores.defences import NONE, about_defences, each_image
from metric_robustness.pipeline.scoring.scores.ranges import read_ranges

SETTINGS = {"non-adaptive": "attacks that do not know the defence", "adaptive": "attacks that know it"}
CLEAR = "clear"
PANEL = 3.0  # inches of a heat map's width
LEAST = 1.6  # inches of a panel's width
HEIGHT = 1.2
AROUND = 0.75  # inches that its title adds to it
TITLE = 1.2  # inches of a title, which is folded if it is longer
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
    """Returns the lines of a setting, and those of the bare metric to compare them with; none if it has no defence."""
    own = lines[lines["setting"] == setting]
    return own if own.empty else pd.concat([lines[lines["setting"] == "undefended"], own])


def maps(lines: pd.DataFrame, value: str, on_clear: str) -> dict[str, pd.DataFrame]:
    """Returns a table per metric, data set and setting, by title: defences by attacks and `clear`, best first."""
    tables = {}
    for (metric, dataset), own in lines.groupby(["metric", "dataset"]):
        for setting, words in SETTINGS.items():
            chosen = beside_none(own, setting)
            if chosen.empty:
                continue
            table = chosen.pivot_table(index="defence", columns="attack", values=value, aggfunc="mean")
            table = best_first(table, largest=value != "shift")
            table[CLEAR] = chosen.groupby("defence")[on_clear].mean()
            tables[f"{metric}, {dataset}, {words}"] = table
    return tables


def best_first(table: pd.DataFrame, *, largest: bool = False) -> pd.DataFrame:
    """Returns a table of defences by attacks with the bare metric first, then the defences by their own mean.

    The mean is taken over the attacks that all defences of the table have, since a defence that was not attacked by the
    strongest would else come out best; over all attacks if none is common. What holds no number is left out.

    Args:
        table: A line per defence.
        largest: Whether the best is the largest.
    """
    defences = table.drop(index=NONE, errors="ignore").dropna(how="all").dropna(axis=1, how="all")
    common = defences.dropna(axis=1)
    means = (defences if common.empty else common).mean(axis=1).sort_values(ascending=not largest, kind="stable")
    rows = [name for name in (NONE, *means.index) if name in table.index]
    return table.loc[rows, defences.columns]


def curves(
    names: Sequence[str],
    folder: Path,
    curve: Callable[[pd.DataFrame], tuple[Sequence[float], Sequence[float]]],
    across: str,
    width: float,
) -> Figure:
    """Draws a panel per metric, data set and setting: a line each for the bare metric and the best defences.

    Args:
        names: The metrics, all if none is named.
        folder: The run folder.
        curve: Returns the x and the y values of a line, from what a defence did on every image.
        across: The label of the x axis.
        width: Of the figure, in inches.

    Raises:
        BenchError: If a name is unknown, or there is no defence.
    """
    images = of_metrics(names, _images(folder))
    parts = {
        f"{metric}, {dataset}, {words}": chosen
        for (metric, dataset), own in images.groupby(["metric", "dataset"])
        for setting, words in SETTINGS.items()
        if len(chosen := beside_none(own, setting))
    }
    best = list(images[images["defence"] != NONE].groupby("defence")["shift"].mean().sort_values(kind="stable").index)
    looks: dict[str, dict[str, Any]] = {NONE: {"color": COLOURS[-1], "linestyle": "--"}}
    looks |= {str(name): {"color": colour} for name, colour in zip(best[:MOST], COLOURS, strict=False)}
    figure, panels = small_multiples([HEIGHT] * len(parts), width, LEAST, AROUND)
    lines: dict[str, Artist] = {}
    for axes, (title, part) in zip(panels, parts.items(), strict=True):
        for defence, style in looks.items():
            if len(own := part[part["defence"] == defence]):
                across_values, values = curve(own)
                mark = "o" if len(set(across_values)) == 1 else ""  # a line of one point would not be seen
                (lines[defence],) = axes.plot(
                    across_values, values, marker=mark, markersize=3, linewidth=1, label=defence, **style
                )
        axes.set_title(folded(title, TITLE))
    share_axes(panels, side_by_side(len(panels), width, LEAST), folded(across, TITLE), "mean shift")
    shown = f"the best {MOST} of {len(best)} defences" if len(best) > MOST else ""
    legend_below(figure, {name: lines[name] for name in looks if name in lines}, shown)
    return figure


def _images(folder: Path) -> pd.DataFrame:
    """Returns what defences did on every image, of the cells of a run folder; reads no metric without a defence."""
    cells = [read_cell(path) for path in about_defences(find_cells([folder]))]
    return each_image(_of_defences(cells), read_ranges())


def _of_defences(cells: Sequence[StoredCell]) -> list[StoredCell]:
    """Returns the cells of the metrics that have defences."""
    metrics = {cell.metric.partition("+")[0] for cell in cells if "+" in cell.metric or len(cell.defended)}
    return [cell for cell in cells if cell.metric.partition("+")[0] in metrics]
