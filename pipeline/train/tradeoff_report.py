"""The table and the plot of a trade-off: a metric's agreement with labels, against the gain of attacks on it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from statistics import fmean

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metric_robustness.pipeline.files import write_atomically
from metric_robustness.pipeline.scoring.plots.style import STYLE, UNDATED
from metric_robustness.pipeline.train.tradeoff import TradeoffPoint

SHOWN = {"norm": "mean l1 norm of the gradient", "gain": "mean I-FGSM gain at 4/255, of 100"}


def write(points: Sequence[TradeoffPoint], out: Path) -> None:
    """Writes points as a .csv; a .svg of the same name shows them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(TradeoffPoint)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in asdict(point).items()}
        for point in points
    )
    write_atomically(out, text.getvalue())
    draw(points, out.with_suffix(".svg"))


def draw(points: Sequence[TradeoffPoint], out: Path) -> None:
    """Writes the plot: a panel per measure, a line per training through its strengths, a small dot per seed.

    Args:
        points: What `trade_off` returns.
        out: A .svg.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 2.8), layout="constrained")
        panels = figure.subplots(1, len(SHOWN), sharey=True)
        for axes, (measure, title) in zip(panels, SHOWN.items(), strict=True):
            _panel(axes, points, measure)
            axes.set_xlabel(title)
        panels[0].set_ylabel("SROCC with labels")
        panels[-1].legend(frameon=False, fontsize=7, loc="lower right")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata=UNDATED[".svg"])
    write_atomically(out, buffer.getvalue())


def _panel(axes: Axes, points: Sequence[TradeoffPoint], measure: str) -> None:
    for training in dict.fromkeys(point.training for point in points):
        own = [point for point in points if point.training == training]
        means = {
            strength: [
                fmean(getattr(point, name) for point in own if point.strength == strength)
                for name in (measure, "srocc")
            ]
            for strength in sorted({point.strength for point in own})
        }
        (line,) = axes.plot(*zip(*means.values(), strict=True), label=training, markersize=4, linewidth=1)
        for strength, (across, up) in means.items():
            axes.annotate(f"{strength:g}", (across, up), xytext=(3, -9), textcoords="offset points", fontsize=6)
        axes.plot(
            [getattr(point, measure) for point in own],
            [point.srocc for point in own],
            linestyle="none",
            marker=".",
            markersize=3,
            color=line.get_color(),
            alpha=0.5,
        )
    axes.set_xlim(left=0)
