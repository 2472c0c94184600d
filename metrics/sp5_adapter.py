"""The filters of a steerable pyramid with six orientations, as matlabPyrTools tabulates them (`sp5Filters`).

Simoncelli, Freeman: The steerable pyramid: a flexible architecture for multi-scale derivative computation, ICIP 1995.
https://doi.org/10.1109/ICIP.1995.537667
"""

from __future__ import annotations

import torch
from torch import Tensor

# Rows and columns up to the middle; what is left out mirrors them, and rows mirror columns.
FIRST = (
    (0.00341614, -0.01551246, -0.03848215),
    (-0.01551246, 0.05586982, 0.1592557),
    (-0.03848215, 0.1592557, 0.40304148),
)
LOWER = (
    (0.00170808, -0.00489834, -0.00775624, -0.01888864, -0.01924108),
    (-0.00489834, -0.01046562, -0.01322234, 0.008212, 0.02005976),
    (-0.00775624, -0.01322234, 0.02793492, 0.06554076, 0.07962786),
    (-0.01888864, 0.008212, 0.06554076, 0.12852666, 0.16339236),
    (-0.01924108, 0.02005976, 0.07962786, 0.16339236, 0.2019308),
)
# The upper rows: the middle one is 0, and the lower ones mirror these with the other sign.
HORIZONTAL = (
    (0.00277643, 0.00496194, 0.01026699, 0.01455399),
    (-0.00986904, -0.00893064, 0.01189859, 0.02755155),
    (-0.01021852, -0.03075356, -0.08226445, -0.11732297),
)


def sp5_filters() -> dict[str, Tensor]:
    """Returns the low-passes `first`, (1, 1, 5, 5), and `lower`, (1, 1, 9, 9), and the bands `oriented`, (2, 1, 7, 7).

    The first is used before the finest level, the second between levels; the bands are those of vertical and of
    horizontal edges.
    """
    first, lower = (_mirrored(_mirrored(torch.tensor(part)).T) for part in (FIRST, LOWER))
    upper = _mirrored(torch.tensor(HORIZONTAL))
    across = torch.cat([upper, torch.zeros(1, upper.shape[1]), -upper.flip(0)])
    return {
        "first": first[None, None],
        "lower": lower[None, None],
        "oriented": torch.stack([across.T, -across])[:, None],
    }


def _mirrored(part: Tensor) -> Tensor:
    """Returns the columns with those behind the last one, which mirror them."""
    return torch.cat([part, part[:, :-1].flip(1)], dim=1)
