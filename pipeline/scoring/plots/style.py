"""How all plots look: embedded fonts, colours that the colour-blind can tell apart, the same bytes each time."""

from __future__ import annotations

from typing import Any

from cycler import cycler

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe & Ito 2008
SHADES = "cividis"  # of heat maps: lightness grows evenly, also for the colour-blind (Nunez, Anderton & Renslow 2018)
MARKS = "osD^vPX"
STYLE: dict[Any, Any] = {
    "axes.prop_cycle": cycler(color=COLOURS, marker=MARKS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 8,
    "pdf.fonttype": 42,  # TrueType: the text can be searched, and scientific publishers accept it
    "svg.fonttype": "path",
    "svg.hashsalt": "metric-robustness",  # fixed, so that a plot made again is the same bytes
}
UNDATED: dict[str, dict[str, Any]] = {  # what to leave out of a file, so that its bytes depend on no date or version
    ".pdf": {"CreationDate": None, "ModDate": None},
    ".svg": {"Date": None},
    ".png": {"Software": None},
}
