"""What the probe of a metric makes doubtful: a few cheap measurements that the engine takes beside the cells."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.scoring.reliability import Flag
from pipeline.stamp import Probe

DIFFERENT = 1e-4  # parts of the range, below which two scores of an image are taken as the same
SLOPE = 1.5  # times that the score may rise faster, or slower, than the gradient says
UNSEEN = 0.2  # of the score's movement that may come from pixels without gradient
GROWTH = 1e-3  # parts of the range, by which the full change must gain more than half of it
TOP = 0.95  # of the range, from where the extreme counts as reached


def probed(probe: Probe) -> Iterator[Flag]:
    """Yields the flags of a metric, which concern all its attacks."""
    if probe.again > DIFFERENT:  # nothing else can be told of a score that moves by itself
        text = f"scored again, the same images differ by up to {probe.again:.3g} of the range"
        yield Flag("random_scores", text)
        return
    if probe.beside > DIFFERENT:
        text = f"beside others, images score up to {probe.beside:.3g} of the range otherwise than alone"
        yield Flag("batch_dependent_scores", text)
    yield from _gradients(probe)


def _gradients(probe: Probe) -> Iterator[Flag]:
    if probe.problem:
        yield Flag("disconnected_gradients", f"there is no gradient of the score: {probe.problem}")
    if probe.slope is not None and not 1 / SLOPE <= probe.slope <= SLOPE:
        text = f"along its own gradient the score rises {probe.slope:.3g} times as fast as the gradient says"
        yield Flag("disconnected_gradients", text)
    if probe.unseen is not None and probe.unseen > UNSEEN:
        text = f"pixels without gradient move the score, {probe.unseen:.0%} as far as all pixels do"
        yield Flag("disconnected_gradients", text)
    if probe.gains and probe.top is not None:
        half, full = probe.gains[len(probe.gains) // 2 - 1], probe.gains[-1]
        if full < half + GROWTH and probe.end is not None and probe.end < TOP:
            text = f"{len(probe.gains)}/255 gains {full:.3f}, {len(probe.gains) // 2}/255 gains {half:.3f}"
            yield Flag("gain_not_growing", text)
        if probe.top < TOP:
            text = f"changed at will, images reach {probe.top:.3f} of the range on the median"
            yield Flag("extreme_not_reached", text)
