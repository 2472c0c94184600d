"""Images in other sizes at other places, and the gradients that come back from there.

Shrinking takes the nearest pixel: each pixel of the shrunk image is one of the image's, and its gradient goes there. So
nothing is added up, and the result is the same on every device.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from metric_robustness.attacks.base import Images


class Placement(NamedTuple):
    """Where the rows and columns of a shrunk image are from, and where they stand."""

    rows: Tensor  # of the image, (h,)
    columns: Tensor  # of the image, (w,)
    top: int
    left: int


def shrunk(images: Images, side: float, place: tuple[float, float]) -> Placement:
    """Returns how an image is made smaller.

    Args:
        images: (N, 3, H, W), for their size and device.
        side: Of the shrunk image, in parts of the image's, in (0, 1].
        place: Where it stands, down and across: 0 is at the upper left, 1 at the lower right.
    """
    height, width = images.shape[2:]
    sizes = [max(1, int(side * full)) for full in (height, width)]
    rows, columns = (
        ((torch.arange(size, device=images.device) + 0.5) * full / size).long()
        for full, size in zip((height, width), sizes, strict=True)
    )
    top, left = (
        min(int(part * (full - size + 1)), full - size)
        for part, full, size in zip(place, (height, width), sizes, strict=True)
    )
    return Placement(rows, columns, top, left)


def placed(images: Images, placements: list[Placement | None]) -> Images:
    """Returns the images, (N, 3, H, W), shrunk and put on black as the N placements say."""
    found = images.clone()
    for image, placement in zip(found, placements, strict=True):
        if placement:
            rows, columns, top, left = placement
            shrunk = image[:, rows[:, None], columns]
            image.zero_()[:, top : top + len(rows), left : left + len(columns)] = shrunk
    return found


def pulled(gradients: Images, placements: list[Placement | None]) -> Images:
    """Returns the gradients of a function of placed images with respect to the images: the adjoint of `placed`."""
    found = gradients.clone()
    for gradient, placement in zip(found, placements, strict=True):
        if placement:
            rows, columns, top, left = placement
            inside = gradient[:, top : top + len(rows), left : left + len(columns)].clone()
            gradient.zero_()[:, rows[:, None], columns] = inside
    return found
