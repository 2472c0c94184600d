"""VIF gives the same score in every batch; `test_official_values.py` compares its values with the authors'."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch
from skimage import data
from torch import Tensor

from metric_robustness.metrics.base import FullReference
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


@pytest.mark.parametrize(
    "name",
    ["cw_ssim", "fsim", "gmsd", "mad", "ms_ssim", "nlpd", "psnr", "psnry", "ssim", "ssimc", "vif", "vsi"],
)
def test_a_flat_image_against_itself_scores_as_any_other_against_itself(name: str) -> None:
    module = import_module(f"metric_robustness.metrics.{name}")
    (metric,) = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, FullReference) and each.__module__ == module.__name__
    ]
    built = metric().eval().requires_grad_(False)
    images = torch.stack([torch.full((3, SIDE, SIDE), 0.5), *pairs()[1][:1]])
    flat, photograph = built(images, images.clone()).tolist()
    assert flat == pytest.approx(photograph, abs=1e-5)


def test_a_flat_reference_is_kept_only_by_a_flat_image() -> None:
    metric = Vif().eval()
    flat = torch.full((1, 3, 64, 64), 0.5)
    dotted = flat.clone()
    dotted[..., 30, 30] = 0.6
    images = torch.cat([flat, flat / 2, dotted]).requires_grad_()
    scores = metric(images, flat.expand(3, -1, -1, -1))
    assert scores.tolist() == [1, 1, 0]
    assert torch.autograd.grad(scores.sum(), images)[0].isfinite().all()
