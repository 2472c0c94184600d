"""Labels without people: how far full-reference metrics see a distorted photograph from its original."""

from __future__ import annotations

import torch
from torch import Tensor

from metrics.base import Images
from pipeline.catalogue.lookup import find
from pipeline.engine.metric.build import build_metric

JUDGES = ("fsim", "vif", "gmsd")


class Labeller:
    """Labels distorted photographs with a quality of 0 to 100, 100 being the original's."""

    def __init__(self) -> None:
        self.judges = {name: build_metric(find("metrics", name), torch.device("cpu")) for name in JUDGES}

    def __call__(self, distorted: Images, originals: Images) -> Tensor:
        """Returns the (N,) labels of (N, 3, H, W) images against their originals."""
        with torch.no_grad():
            return blend({name: judge(distorted, originals) for name, judge in self.judges.items()})


def blend(scores: dict[str, Tensor]) -> Tensor:
    """Returns the labels that the judges' scores make, by name: each mapped to 0 to 1, then averaged, times 100.

    The exponents spread ten kinds of distortions of all strengths over the scale; VIF counts half, since it sees noise
    as worse than the others do. No opinions were fitted; the halving was chosen in sight of TID2013's.
    """
    fsim = ((scores["fsim"] - 0.5) / 0.5).clamp(0, 1) ** 1.5
    vif = scores["vif"].clamp(0, 1) ** 0.6
    gmsd = (-scores["gmsd"] / 0.1).exp()
    return 100 * (2 * fsim + vif + 2 * gmsd) / 5
