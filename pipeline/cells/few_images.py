"""On how many images an attack or a metric is tried before it is trusted with all."""

from __future__ import annotations

MOST = 4
QUARTER = 4  # of a small data set a scout takes one image in so many: its price must not be that of the attack


def scouted(images: int) -> int:
    """Returns on how many of so many images a scout tries an attack."""
    return max(1, min(MOST, images // QUARTER))
