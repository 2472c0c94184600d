"""Colours that the colour-blind tell apart, and in which order they are taken."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe & Ito 2008
SHADES = "cividis"  # of heat maps: lightness grows evenly, to every kind of eye (Nunez, Anderton & Renslow 2018)
