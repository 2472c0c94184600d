"""VIF gives the same score in every batch; `test_official_values.py` compares its values with the authors'."""

from __future__ import annotations

import pytest
import torch
from skimage import data
from torch import Tensor

from metric_robustness.metrics.vif import Vif
from metric_robustness.pipeline.data.images import compress, to_tensor

SIDE = 200


def pairs() -> tuple[Tensor, Tensor]:
    """Returns six crops of a photograph, compressed and original."""
    places = [(left, top) for left in (0, 300) for top in (0, 150, 300)]
    crops = [data.astronaut()[top : top + SIDE, left : left + SIDE] for left, top in places]
    return to_tensor([compress(crop, 50) for crop in crops]), to_tensor(crops)


def test_a_score_does_not_depend_on_the_batch() -> None:
    images, references = pairs()
    metric = Vif().eval().requires_grad_(False)
    together = metric(images, references)
    alone = torch.cat([metric(*pair) for pair in zip(images.split(1), references.split(1), strict=True)])
    turned = metric(images.flip(0), references.flip(0)).flip(0)
    assert together.tolist() == pytest.approx(alone.tolist(), abs=1e-5)
    assert together.tolist() == pytest.approx(turned.tolist(), abs=1e-5)
