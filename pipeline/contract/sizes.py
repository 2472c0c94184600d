"""Which sizes of images a metric scores, and from which on."""

from __future__ import annotations

from collections.abc import Callable

from metric_robustness.metrics.base import Scores
from metric_robustness.pipeline.contract.advice import raised

ANY_SIZE = "crop or pad images to the multiple of pixels that it needs"
LARGER = (192, 256, 384, 512)  # sides that are tried where the usual images are too small


class Sizes:
    """The sizes of images that a metric scores.

    Args:
        score: Returns the scores of images of a height and a width.
    """

    def __init__(self, score: Callable[[int, int], Scores]) -> None:
        self.score = score

    def fault_at(self, height: int, width: int) -> str:
        """Returns what is wrong with images of a size; empty if they have finite scores."""
        try:
            scores = self.score(height, width)
        except Exception as error:  # whatever a contributor's code raises  # noqa: BLE001
            return raised(error)
        return "" if scores.isfinite().all() else "the score is not finite"

    def fault(self, side: int) -> str:
        """Returns what is wrong with images of this shorter side, square or odd; empty if they have finite scores."""
        sizes = ((side, side), (side + 1, side + 33))
        return next((f"{fault} at {h}x{w}" for h, w in sizes if (fault := self.fault_at(h, w))), "")

    def larger(self, side: int) -> int | None:
        """Returns the side from which on images are scored, if one of the larger ones that are tried is."""
        enough = next((each for each in LARGER if each > side and not self.fault(each)), None)
        return enough and self.least(side, enough)

    def least(self, low: int, high: int) -> int:
        """Returns the shortest side that is scored, above one that is too short and up to one that is not."""
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.fault(middle) else (low, middle)
        return high

    def remedy(self, side: int, fault: str, most: int) -> str:
        """Returns the message for images of a side that has a fault: the side that the metric needs, if that helps."""
        if side >= most or self.fault(most):  # no side helps: only some multiples are scored
            return f"{fault}: {ANY_SIZE}"
        least = self.least(side, most)
        return f"{fault}; it needs {least} pixels: write smallest = {least}"
