"""Scales of gains: even around 0, logarithmic beyond, since a gain may be a hundredth of the range or ten times it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm
from matplotlib.scale import AsinhScale
from matplotlib.ticker import NullLocator

EVEN = 0.1  # the gain up to which the scale is about even
POWERS = (0.1, 1.0, 10.0, 100.0)  # what may have a tick
MARGIN = 0.04  # share of the scale that is left free at either end
APART = 0.16  # inches between two ticks, so that their numbers do not touch


def around_zero(values: np.ndarray) -> AsinhNorm:
    """Returns colours for signed numbers: 0 in the middle, as far down as up."""
    reach = max(float(np.nanmax(np.abs(values), initial=0)), EVEN)
    return AsinhNorm(EVEN, vmin=-reach, vmax=reach)


def gain_axis(panels: Sequence[Axes], which: Literal["x", "y"], length: float) -> None:
    """Gives panels one scale of gains, with the same limits and ticks.

    Args:
        panels: What is drawn in them is seen whole.
        which: The axis.
        length: Of the axis, in inches, at least.
    """
    limits = [axes.get_xlim() if which == "x" else axes.get_ylim() for axes in panels]
    low, high = min(0.0, *(each[0] for each in limits)), max(0.0, *(each[1] for each in limits))
    margin = MARGIN * (_place(high) - _place(low))
    low, high = _value(_place(low) - margin), _value(_place(high) + margin)
    ticks = signed_ticks(low, high, length)
    for axes in panels:
        axis = axes.xaxis if which == "x" else axes.yaxis
        axes.set(**{f"{which}scale": AsinhScale(axis, linear_width=EVEN), f"{which}lim": (low, high)})
        axis.set_ticks(ticks, labels=[number(tick, None) for tick in ticks])
        axis.set_minor_locator(NullLocator())


def signed_ticks(low: float, high: float, length: float) -> list[float]:
    """Returns 0 and the powers of ten on both sides of it that are far enough apart.

    Args:
        low: End of the scale, at most 0.
        high: The other end.
        length: Of the scale, in inches.
    """
    whole = _place(high) - _place(low)
    least = next((power for power in POWERS if _place(power) / whole * length >= APART), POWERS[-1])
    powers = [power for power in POWERS if power >= least]
    return [*(-power for power in reversed(powers) if -power >= low), 0.0, *(each for each in powers if each <= high)]


def number(value: float, digits: int | None = 2) -> str:
    """Returns a number with so many digits after the point, or as few as it needs; what rounds to 0 has no sign."""
    text = f"{value:g}" if digits is None else f"{value:.{digits}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "\N{MINUS SIGN}")


def _place(value: float) -> float:
    return math.asinh(value / EVEN)


def _value(place: float) -> float:
    return EVEN * math.sinh(place)
