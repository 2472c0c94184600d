"""Maps one metric's scores to the scale of another: exact optimal transport in one dimension.

The original benchmark does it with a trained network (https://arxiv.org/abs/2310.06958). Between scores of the same
images, the cheapest map under any convex cost sends the i-th smallest score to the i-th smallest (Villani. Topics in
optimal transportation. 2003, theorem 2.18), so nothing needs to be trained.
"""

from __future__ import annotations

import numpy as np

from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.scoring.scores.robustness import Values


class Transport:
    """A map from one metric's unit to another's; a better score is never mapped to a worse one.

    Between two clear scores the map is linear. Outside of all of them it is a line with the slope from the lowest to
    the highest: attacks leave the range of clear scores, and a score further outside must still map to one further
    outside.

    Args:
        source: The metric's scores of clear images, (N,).
        target: The other metric's scores of the same images, (N,); their order does not matter.
        mirrored: Whether higher is better for one of the two only.

    Raises:
        DataError: If the source scores are all equal, or fewer than two.
    """

    def __init__(self, source: Values, target: Values, *, mirrored: bool = False) -> None:
        if np.unique(source).size < 2:
            raise DataError(f"at least two clear scores must differ to be matched; got {np.unique(source).size}")
        self.sign = -1 if mirrored else 1
        # A map gives equal scores one value: the mean of the target scores that stand at their ranks.
        self.source, group = np.unique(self.sign * source, return_inverse=True)
        order = np.argsort(self.sign * source, kind="stable")
        self.target = np.bincount(group[order], np.sort(target)) / np.bincount(group)
        self.slope = (self.target[-1] - self.target[0]) / (self.source[-1] - self.source[0])

    def __call__(self, scores: Values) -> Values:
        """Returns scores, (N,), in the other metric's unit, (N,)."""
        turned = self.sign * scores
        inside = np.interp(turned, self.source, self.target)
        above = np.maximum(turned - self.source[-1], 0)
        below = np.minimum(turned - self.source[0], 0)
        mapped: Values = inside + self.slope * (above + below)
        return mapped
