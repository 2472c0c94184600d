"""The figures that there are, by the names that the command line takes: told without loading what draws them."""

from typing import Literal

Kind = Literal[
    "gain-curve",
    "heatmap",
    "ranks",
    "scatter",
    "defence-heatmap",
    "defence-metrics",
    "defence-quality",
    "defence-srocc",
    "defence-ssim",
    "defence-value",
]


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe & Ito 2008


SHADES = "cividis"  # of heat maps: lightness grows evenly, to every kind of eye (Nunez, Anderton & Renslow 2018)
