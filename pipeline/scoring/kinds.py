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
