"""Flags from the probe of a metric: a few cheap measurements that the engine takes in addition to the cells."""

from __future__ import annotations

from collections.abc import Iterator

from metric_robustness.pipeline.cells.stamp import Probe
from metric_robustness.pipeline.scoring.board.flags import Flag

DIFFERENT = 1e-4  # parts of the range, below which two scores of an image are taken as the same
SLOPE = 1.5  # times that the score may rise faster, or slower, than the gradient says
UNSEEN = 0.2  # of the score's movement that may come from pixels without gradient
GROWTH = 1e-3  # parts of the range, by which the full change must gain more than half of it
TOP = 0.9  # of the range, from where the extreme counts as reached


def probed(probe: Probe) -> Iterator[Flag]:
    """Yields the flags of a metric, which concern all its attacks."""
    images = f"{probe.images} image{'' if probe.images == 1 else 's'}"
    if probe.repeat_shift > DIFFERENT:  # the other measurements mean nothing if the score is random
        yield Flag("random_scores", f"scored again, {images} differed by up to {probe.repeat_shift:.3g} of the range")
        return
    if probe.batch_shift > DIFFERENT:
        text = f"beside others, {images} scored up to {probe.batch_shift:.3g} of the range otherwise than alone"
        yield Flag("batch_dependent_scores", text)
    for code, text in _gradients(probe):
        yield Flag(code, f"{text} ({images})")


def _gradients(probe: Probe) -> Iterator[tuple[str, str]]:
    """Yields the code and the text of what is doubtful about the gradients."""
    if probe.problem:
        yield "disconnected_gradients", f"the score has no gradient: {probe.problem}"
    if probe.slope is not None and not 1 / SLOPE <= probe.slope <= SLOPE:
        yield "disconnected_gradients", f"along its gradient the score rises {probe.slope:.3g} times as fast as it says"
    if probe.unseen_share is not None and probe.unseen_share > UNSEEN:
        text = f"pixels without gradient move the score, {probe.unseen_share:.0%} as far as all pixels do"
        yield "disconnected_gradients", text
    if probe.free_best is None or probe.free_end is None or len(probe.gains) < 2:
        return
    *_, half, full = sorted(probe.gains)
    if probe.gains[full] < probe.gains[half] + GROWTH and probe.free_end < TOP:
        text = f"sign steps within {half}/255 gain {probe.gains[half]:.3f}, within {full}/255 {probe.gains[full]:.3f}"
        yield "gain_not_growing", text
    if probe.free_best < TOP:
        yield "extreme_not_reached", f"changed at will, images reach {probe.free_best:.3f} of the range on the median"
