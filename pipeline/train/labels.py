"""Labels without people: the distance of a distorted photograph from its original, by full-reference metrics."""

from __future__ import annotations

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.catalogue.lookup import find
from metric_robustness.pipeline.engine.metric.build import build_metric

LABEL_METRICS = ("fsim", "vif", "gmsd")


class Labeller:
    """Labels distorted photographs with a quality of 0 to 100, 100 being the original's."""

    def __init__(self) -> None:
        self.metrics = {name: build_metric(find("metrics", name), torch.device("cpu")) for name in LABEL_METRICS}

    def __call__(self, distorted: Images, originals: Images) -> Tensor:
        """Returns the (N,) labels of (N, 3, H, W) images against their originals."""
        with torch.no_grad():
            return blend({name: metric(distorted, originals) for name, metric in self.metrics.items()})


def blend(scores: dict[str, Tensor]) -> Tensor:
    """Returns the (N,) labels of 0 to 100: each metric's scores mapped to 0 to 1, then averaged, times 100.

    The exponents spread ten kinds of distortions of all strengths over the scale. VIF counts half, since it rates noise
    worse than the others do. No opinions were fitted, but the half was chosen after a look at TID2013's.

    Args:
        scores: The (N,) scores of each of `LABEL_METRICS`, by its name.
    """
    fsim = ((scores["fsim"] - 0.5) / 0.5).clamp(0, 1) ** 1.5
    vif = scores["vif"].clamp(0, 1) ** 0.6
    gmsd = (-scores["gmsd"] / 0.1).exp()
    return 100 * (2 * fsim + vif + 2 * gmsd) / 5
