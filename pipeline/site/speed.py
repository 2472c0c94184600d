"""How fast a metric is, computed from the time that its cells took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from metric_robustness.pipeline.scoring.read.cells import StoredCell


class Speed(NamedTuple):
    """How long a metric takes for one pass, forward or backward, over one image."""

    seconds: float
    devices: tuple[str, ...]  # that the cells ran on


def speed(cells: Iterable[StoredCell]) -> Speed | None:
    """Returns the mean seconds that a metric's cells took for one pass over one image; None if nothing was timed.

    The passes of a row are its queries; its gradients, since queries count only the forward pass of each; and one for
    the score of the attacked image. The time also covers decoding, the attack's own work and the measures.
    """
    seconds = passes = 0.0
    devices = set()
    for cell in cells:
        variants = cell.rows["variant"].to_numpy()
        of_rows = cell.rows["queries"].to_numpy() + cell.rows["gradients"].to_numpy() + 1
        for variant, spent in (cell.stamp.seconds if cell.stamp else {}).items():
            own = variants == variant
            if spent > 0 and own.any():
                seconds += spent
                passes += float(np.nansum(of_rows[own]))
                devices.add(cell.stamp.machine.get("device", "unknown device") if cell.stamp else "")
    return Speed(seconds / passes, tuple(sorted(devices))) if passes > 0 else None
