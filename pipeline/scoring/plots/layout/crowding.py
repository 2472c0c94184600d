"""Finds texts of a figure that cannot be read: those that cover each other or leave the figure."""

from __future__ import annotations

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

TOUCH = 1.5  # points by which boxes may overlap, since letters do not fill theirs


def crowded(figure: Figure) -> list[str]:
    """Returns the texts that cover another one or leave the figure."""
    figure.draw_without_rendering()
    texts = _texts(figure)
    if not texts:
        return []
    margin = TOUCH / 2 * figure.dpi / 72
    extents = np.array([Text.get_window_extent(text).extents for text in texts])  # without arrows that lead to them
    low, high = extents[:, :2] + margin, extents[:, 2:] - margin
    outside = (low < figure.bbox.min).any(axis=1) | (high > figure.bbox.max).any(axis=1)
    covering = ((low[:, None] < high[None]) & (low[None] < high[:, None])).all(axis=2).sum(axis=1) > 1  # but itself
    return sorted({texts[i].get_text().replace("\n", " ") for i in np.flatnonzero(outside | covering)})


def _texts(figure: Figure) -> list[Text]:
    """Returns all texts that are drawn; of ticks those within the limits of their axis."""
    unseen = set()
    for axis in figure.findobj(Axis):
        low, high = sorted(axis.get_view_interval())
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not low <= tick.get_loc() <= high:
                unseen |= {id(text) for text in tick.findobj(Text)}
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    return [text for text in texts if id(text) not in unseen]
