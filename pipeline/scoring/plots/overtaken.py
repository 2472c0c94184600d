"""What a benchmark loses: the share of clear better images that an attacked worse one overtakes, a line per metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from metric_robustness.pipeline.errors import BenchError, suggestion
from metric_robustness.pipeline.scoring.plots.layout.lines import named_lines
from metric_robustness.pipeline.scoring.plots.layout.panels import folded, small_multiples
from metric_robustness.pipeline.scoring.scores.overtaken import ANY

HEIGHT = 1.8  # of a panel, inches
AROUND = 0.6  # what its title and its axis add to it
LEAST = 3.0  # inches of its width
MARGIN = 0.7  # inches left of its axes
SHARES = ["overtaken", "overtaken_low", "overtaken_high"]


def draw(names: Sequence[str], folder: Path, width: float) -> Figure:
    """Draws a panel by budget for each data set and kind of metric; of a ladder a second one, by rungs apart."""
    groups = [(list(map(str, group)), own) for group, own in _lines(names, folder).groupby(["dataset", "kind"])]
    wanted = [(group, own, by) for group, own in groups for by in ("budget", "apart") if by == "budget" or _ladder(own)]
    figure, panels = small_multiples([HEIGHT] * len(wanted), width, LEAST, AROUND)
    for axes, ((dataset, kind), own, by) in zip(panels, wanted, strict=True):
        title = f"{kind if kind.isupper() else kind.capitalize()} metrics on {dataset}"
        _by_budget(axes, own) if by == "budget" else _by_distance(axes, own)
        axes.set_title(folded(title + (f", within {own['budget'].max()}/255" if by == "apart" else ""), LEAST - MARGIN))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylabel(f"better {'encodings' if _ladder(own) else 'images'} overtaken")
    return figure


def _ladder(lines: pd.DataFrame) -> bool:
    return bool((lines["truth"] == "rung").any())


def _by_budget(axes: Axes, lines: pd.DataFrame) -> None:
    """Draws the share of all pairs against the budget, from 0 on, where nothing is attacked."""
    own = lines[lines["apart"] == ANY]
    budgets = sorted({*own["budget"]})
    named_lines(axes, dict(_curves(own, "budget", start=True)))
    axes.set_xlim(0, budgets[-1])
    axes.set_xticks([0, *budgets])
    axes.set_xlabel("largest change of a channel, in 255ths")


def _by_distance(axes: Axes, lines: pd.DataFrame) -> None:
    """Draws the share within the largest budget against how many rungs the better encoding is above the worse one."""
    own = lines[(lines["apart"] != ANY) & (lines["budget"] == lines["budget"].max())]
    told = sorted({*own["apart"]})
    places = own.assign(place=own["apart"].map({name: place for place, name in enumerate(told, 1)}))
    named_lines(axes, dict(_curves(places, "place", start=False)))
    axes.set_xlim(0.8, max(len(told), 2))
    axes.set_xticks(range(1, len(told) + 1), told)
    axes.set_xlabel("rungs apart")


def _curves(lines: pd.DataFrame, by: str, *, start: bool) -> Iterator[tuple[str, np.ndarray]]:
    """Yields each metric with places, shares and the ends of their intervals, (4, points), the least lost first."""
    curves = {}
    for metric, own in lines.dropna(subset=["overtaken"]).groupby("metric"):
        points = own.sort_values(by)[[by, *SHARES]].to_numpy(dtype=float).T
        curves[str(metric)] = np.hstack([np.zeros((4, 1)), points]) if start else points
    yield from sorted(curves.items(), key=lambda curve: (curve[1][1, -1], curve[0]))


def _lines(names: Sequence[str], folder: Path) -> pd.DataFrame:
    """Returns the lines of overtaken.csv about the named metrics, all if none is named."""
    path = folder / "overtaken.csv"
    if not path.is_file():
        raise BenchError(
            f"{folder} must hold overtaken.csv; got none: run --dataset ladder:CSV or iqa:CSV first, or name a --from"
        )
    lines = pd.read_csv(path, keep_default_na=False, na_values={name: [""] for name in SHARES}, dtype={"apart": str})
    known = dict.fromkeys(sorted({*lines["metric"]}))
    for name in names:
        if name not in known:
            raise BenchError(f"no metric of overtaken.csv is named {name!r}: {suggestion(name, known)}")
    found = lines[lines["metric"].isin(names or known)]
    if found["overtaken"].isna().all():
        why = next(filter(None, found["note"]), "it has no line")
        raise BenchError(f"{path} must hold a pair of a better and a worse image; got none ({why}): run others")
    return found
