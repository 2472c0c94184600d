"""How all plots look: embedded fonts, colours that the colour-blind can tell apart, the same bytes."""

from __future__ import annotations

from typing import Any

from cycler import cycler

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe & Ito 2008
SHADES = "cividis"  # of heat maps: lightness grows evenly, also for the colour-blind (Nunez, Anderton & Renslow 2018)
SIGNED_SHADES = "RdBu_r"  # of heat maps around 0: safe for the colour-blind (Harrower & Brewer 2003)
ABSENT = "0.85"  # the grey of what was not run, which is on neither scale
MARKS = "osD^vPX"
POINTS = 8  # size of all text; nothing is smaller
STYLE: dict[Any, Any] = {
    "axes.prop_cycle": cycler(color=COLOURS, marker=MARKS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],  # the first comes with matplotlib
    "font.size": POINTS,
    "axes.titlesize": POINTS,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "legend.fontsize": POINTS,
    "legend.title_fontsize": POINTS,
    "legend.frameon": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,  # TrueType: the text can be searched, and scientific publishers accept it
    "svg.fonttype": "none",  # text stays text, which a browser writes in the first of the fonts that it has
    "svg.hashsalt": "metric-robustness",  # fixed, so that a plot made again is the same bytes
}
UNDATED: dict[str, dict[str, Any]] = {  # what to leave out of a file, so that its bytes depend on no date or version
    ".pdf": {"CreationDate": None, "ModDate": None},
    ".svg": {"Date": None},
    ".png": {"Software": None},
}


def look(number: int) -> dict[str, Any]:
    """Returns colour and mark of a line by its number; 49 lines look different."""
    turn, place = divmod(number, len(COLOURS))
    return {"color": COLOURS[place], "marker": MARKS[(place + turn) % len(MARKS)]}
