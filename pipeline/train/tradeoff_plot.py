"""The plot of a trade-off: what a metric keeps of its agreement and of its weakness, against the strength."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.files import write_atomically
from pipeline.scoring.plots import STYLE, UNDATED

if TYPE_CHECKING:
    from pipeline.train.tradeoff import Point

SHOWN = {"srocc": "SROCC with labels", "norm": "l1 norm of the gradient", "gain": "I-FGSM gain at 4/255, of 100"}


def draw(points: Sequence[Point], out: Path) -> None:
    """Writes the plot: a panel per measure, a line per training through the means over seeds, a dot per seed.

    Args:
        points: What `trade_off` returns.
        out: A .svg.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 2.2), layout="constrained")
        for axes, (measure, title) in zip(figure.subplots(1, len(SHOWN)), SHOWN.items(), strict=True):
            _panel(axes, points, measure)
            axes.set_title(title, fontsize=8)
            axes.set_xlabel("strength")
        axes.legend(frameon=False, fontsize=6)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata=UNDATED[".svg"])
    write_atomically(out, buffer.getvalue())


def _panel(axes: Axes, points: Sequence[Point], measure: str) -> None:
    least = min((point.strength for point in points if point.strength), default=1.0)
    for training in dict.fromkeys(point.training for point in points):
        own = [point for point in points if point.training == training]
        strengths = sorted({point.strength for point in own})
        means = []
        for strength in strengths:
            values = [getattr(point, measure) for point in own if point.strength == strength]
            means.append(sum(values) / len(values))
        (line,) = axes.plot(strengths, means, label=training, markersize=4, linewidth=1)
        axes.plot(
            [point.strength for point in own],
            [getattr(point, measure) for point in own],
            linestyle="none",
            marker=".",
            markersize=3,
            color=line.get_color(),
            alpha=0.5,
        )
    axes.set_xscale("symlog", linthresh=least)  # so that 0 has a place
    axes.set_ylim(bottom=0)
