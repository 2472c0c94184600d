"""Plots for papers: vectors, fonts inside, colours that the colour-blind tell apart, the same bytes each time."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.errors import BenchError, suggestion
from pipeline.files import write_atomically
from pipeline.scoring.plots.defences import DEFENCE_PLOTS
from pipeline.scoring.plots.style import COLOURS, Kind
from pipeline.scoring.tables.show import Facts, read_board

MARKS = "osD^vPX"
STYLE: dict[Any, Any] = {
    "axes.prop_cycle": cycler(color=COLOURS, marker=MARKS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 8,
    "pdf.fonttype": 42,  # TrueType: the text can be searched, and checkpoints take it
    "svg.fonttype": "path",
    "svg.hashsalt": "metric-robustness",  # fixed, so that a plot made again is the same bytes
}
UNDATED: dict[str, dict[str, Any]] = {
    ".pdf": {"CreationDate": None, "ModDate": None},
    ".svg": {"Date": None},
    ".png": {"Software": None},
}


def write_plot(kind: Kind, names: Sequence[str], folder: Path, out: Path) -> None:
    """Draws tables of a folder and writes the plot.

    Args:
        kind: gain-curve: gain against PSNR, a line per attack through its settings. heatmap: metrics by attacks.
            ranks: every metric's rank with its interval. scatter: metrics, by their gains under two attacks. The
            defence- kinds are those of `defence_plots`.
        names: Metrics, all if none is given; of a scatter, the two attacks.
        folder: What `run`, `aggregate` or `fetch` wrote.
        out: A .pdf, .svg or .png.

    Raises:
        BenchError: If there are no tables, a name is unknown, or nothing can be drawn.
    """
    if out.suffix not in UNDATED:
        raise BenchError(f"--out must end in {', '.join(UNDATED)}; got {out.name!r}: rename it")
    board = read_board(folder)
    draw: dict[str, Callable[[Facts, Sequence[str], Path], Figure]] = {
        "gain-curve": _gain_curve,
        "heatmap": _heatmap,
        "ranks": _ranks,
        "scatter": _scatter,
        **{kind: partial(_defences, drawn) for kind, drawn in DEFENCE_PLOTS.items()},
    }
    with mpl.rc_context(STYLE):
        figure = draw[kind](board, names, folder)
        packed = io.BytesIO()
        figure.savefig(packed, format=out.suffix[1:], metadata=UNDATED[out.suffix], bbox_inches="tight", dpi=200)
    write_atomically(out, packed.getvalue())


def _defences(draw: Callable[[Sequence[str], Path], Figure], _: Facts, names: Sequence[str], folder: Path) -> Figure:
    return draw(names, folder)


def _sections(board: Facts, names: Sequence[str]) -> list[tuple[Facts, list[Facts]]]:
    """Returns the sections with those of their metrics that are asked for.

    Raises:
        BenchError: If a name is unknown, or there is none at all.
    """
    known = {metric["metric"]: None for section in board["sections"] for metric in section["metrics"]}
    _require(names, known, "metric")
    found = []
    for section in board["sections"]:
        own = [metric for metric in section["metrics"] if not names or metric["metric"] in names]
        if own:
            found.append((section, own))
    if not found:
        raise BenchError("there must be a metric on the leaderboard to draw; got none: run some cells first")
    return found


def _require(names: Sequence[str], known: dict[str, None], what: str) -> None:
    for name in names:
        if name not in known:
            raise BenchError(f"no {what} on the leaderboard is named {name!r}: {suggestion(name, known)}")


def _panels(count: int, width: float, heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    axes = figure.subplots(count, 1, squeeze=False, height_ratios=heights)
    return figure, list(axes[:, 0])


def _caption(section: Facts) -> str:
    return f"{section['kind']}, {section['dataset']}, {section['images']} images"


def _estimate(effect: Facts | None) -> tuple[float, float, float]:
    """Returns the absolute gain and how far its interval reaches below and above; nan where there is none."""
    if effect is None:
        return (math.nan,) * 3
    gain = effect["absolute_gain"]
    value, low, high = (math.nan if gain[name] is None else float(gain[name]) for name in ("value", "low", "high"))
    return value, max(value - low, 0), max(high - value, 0)


def _heatmap(board: Facts, names: Sequence[str], folder: Path) -> Figure:
    sections = _sections(board, names)
    columns = max(len(section["attacks"]) for section, _ in sections)
    figure, panels = _panels(len(sections), 1.8 + 0.5 * columns, [1 + 0.28 * len(own) for _, own in sections])
    for axes, (section, own) in zip(panels, sections, strict=True):
        attacks = list(section["attacks"])
        gains = np.array([[_estimate(metric["attacks"].get(attack))[0] for attack in attacks] for metric in own])
        shown = axes.imshow(gains, cmap="cividis", vmin=0, vmax=max(1e-6, np.nanmax(gains, initial=0)), aspect="auto")
        axes.set_xticks(range(len(attacks)), attacks, rotation=45, ha="right")
        axes.set_yticks(range(len(own)), [metric["metric"] for metric in own])
        axes.set_title(_caption(section), loc="left")
        for (i, j), gain in np.ndenumerate(gains):
            text = "n/a" if math.isnan(gain) else f"{gain:.2f}"
            dark = gain < shown.get_clim()[1] / 2  # never of nan, whose cell is white
            axes.text(j, i, text, ha="center", va="center", fontsize=6, color="white" if dark else "black")
        figure.colorbar(shown, ax=axes, label="absolute gain", extend="min")
    return figure


def _ranks(board: Facts, names: Sequence[str], folder: Path) -> Figure:
    ranked = [(section, [each for each in own if each["rank"]]) for section, own in _sections(board, names)]
    ranked = [(section, own) for section, own in ranked if own]
    if not ranked:
        raise BenchError(
            "there must be a ranked metric to draw; got none: every attack of the table must be done on it"
        )
    figure, panels = _panels(len(ranked), 4.5, [0.9 + 0.2 * len(own) for _, own in ranked])
    for axes, (section, own) in zip(panels, ranked, strict=True):
        places = range(len(own))
        for place, metric in zip(places, own, strict=True):
            low, high = metric["rank_interval"] or (math.nan, math.nan)
            axes.plot([low, high], [place, place], color=COLOURS[0], marker="|", linewidth=2, alpha=0.6)
            axes.plot(metric["rank"], place, color=COLOURS[1], marker="o", markersize=4)
        axes.set_yticks(places, [metric["metric"] for metric in own])
        axes.invert_yaxis()
        axes.set_xlabel("rank, with its 95 % interval")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(_caption(section), loc="left")
    return figure


def _scatter(board: Facts, names: Sequence[str], folder: Path) -> Figure:
    known = {attack: None for section in board["sections"] for attack in section["attacks"]}
    if len(names) != 2:
        raise BenchError(f"scatter must be given two attacks; got {len(names)}: there are {', '.join(known)}")
    _require(names, known, "attack")
    figure, (axes,) = _panels(1, 4.5, [4])
    for section in board["sections"]:
        points = [[_estimate(metric["attacks"].get(attack)) for attack in names] for metric in section["metrics"]]
        x, y = (np.array([point[i] for point in points]) for i in (0, 1))
        axes.errorbar(
            x[:, 0],
            y[:, 0],
            xerr=x[:, 1:].T,
            yerr=y[:, 1:].T,
            fmt="o",
            markersize=3,
            linewidth=0.7,
            label=_caption(section),
        )
        for metric, (across, up) in zip(section["metrics"], points, strict=True):
            if math.isfinite(across[0] + up[0]):
                axes.annotate(metric["metric"], (across[0], up[0]), (3, 3), textcoords="offset points", fontsize=6)
    axes.axline((0, 0), slope=1, color="0.6", linewidth=0.7, marker="")
    axes.set_xlabel(f"absolute gain under {names[0]}")
    axes.set_ylabel(f"absolute gain under {names[1]}")
    axes.legend(frameon=False)
    return figure


def _gain_curve(board: Facts, names: Sequence[str], folder: Path) -> Figure:
    metrics = [metric["metric"] for _, own in _sections(board, names) for metric in own]
    path = folder / "scores.csv"
    if not path.is_file():
        raise BenchError(f"{folder} must hold scores.csv; got none: name with --from what `run --out` wrote")
    scores = pd.read_csv(path, keep_default_na=False, na_values={"psnr": [""], "absolute_gain": [""]})
    done = scores[scores["metric"].isin(metrics) & (scores["status"] == "done") & np.isfinite(scores["psnr"])]
    if done.empty:
        raise BenchError("there must be scored cells to draw; got none: run some cells first")
    groups = list(done.groupby(["metric", "dataset"]))
    figure, panels = _panels(len(groups), 4.5, [2.6] * len(groups))
    for axes, ((metric, dataset), rows) in zip(panels, groups, strict=True):
        for attack, points in rows.sort_values(["psnr", "variant"]).groupby("attack"):
            ends = [pd.to_numeric(points[f"absolute_gain_{end}"], errors="coerce") for end in ("low", "high")]
            reach = np.abs(np.stack([points["absolute_gain"] - ends[0], ends[1] - points["absolute_gain"]]))
            axes.errorbar(
                points["psnr"], points["absolute_gain"], yerr=reach, markersize=3, linewidth=0.8, label=attack
            )
        axes.set_title(f"{metric}, {dataset}", loc="left")
        axes.set_xlabel("PSNR of the attacked image, dB: further right is less visible")
        axes.set_ylabel("absolute gain")
        axes.legend(frameon=False, fontsize=6, ncols=2)
    return figure
