"""What a figure shows, as plain values: so that tests compare pictures without comparing the bytes of a file."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure


def shown(figure: Figure) -> list[dict[str, Any]]:
    """Returns, panel by panel, texts, axis labels, and every mark with its place and colour."""
    return [panel(axes) for axes in figure.axes]


def panel(axes: Axes) -> dict[str, Any]:
    """Returns what one panel shows."""
    legend = axes.get_legend()
    return {
        "titles": [unfolded(axes.get_title(loc)) for loc in ("left", "center", "right") if axes.get_title(loc)],
        "axes": [axes.get_xlabel(), axes.get_ylabel()],
        "ticks": [[label.get_text() for label in axis.get_ticklabels()] for axis in (axes.xaxis, axes.yaxis)],
        "texts": [text.get_text() for text in axes.texts],
        "legend": [text.get_text() for text in legend.get_texts()] if legend else [],
        "lines": [
            (str(line.get_label()), to_hex(line.get_color()), str(line.get_marker()), numbers(line.get_xydata()))
            for line in axes.lines
        ],
        "bars": [numbers(path.vertices) for marks in axes.collections for path in marks.get_paths()],
        "images": [numbers(image.get_array()) for image in axes.images],
    }


def unfolded(text: str) -> str:
    """Returns a text of several lines as one."""
    return text.replace("_\n", "_").replace("\n", " ")


def numbers(values: Any) -> list[Any]:
    """Returns numbers rounded to what an eye could see; None where there is none."""
    found = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    return np.where(np.isnan(found), None, np.round(found, 6)).tolist()
