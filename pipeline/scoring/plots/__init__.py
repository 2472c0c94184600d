"""Plots for papers: one file per kind, with a function `draw`; `found` lists them."""
