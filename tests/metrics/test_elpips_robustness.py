"""E-LPIPS under the strong suite: an attack that averages over draws hides less of a distortion than from LPIPS."""

from __future__ import annotations

import pytest
import torch
from published import load, torch_home

from metric_robustness.attacks.adam import AdamAttack
from metric_robustness.pipeline.contract.base import photographs
from metric_robustness.pipeline.data.images import compress, to_tensor
from metric_robustness.pipeline.engine.attack.batch import attack_batch
from metric_robustness.pipeline.engine.attack.passes import Trial
from metric_robustness.pipeline.engine.metric.objective import MetricObjective

__all__ = ["torch_home"]  # a fixture of this module


@pytest.mark.slow
def test_adam_hides_less_of_a_distortion_from_it_than_from_lpips() -> None:
    references = photographs(96, 96)[:2]
    pixels = [(255 * image).round().byte().permute(1, 2, 0).numpy() for image in references]
    images = to_tensor([compress(each, 20) for each in pixels])
    left = {}
    for name in ("lpips_squeeze", "elpips"):
        metric = load(name)
        trial = Trial("adam", AdamAttack(eps=4 / 255))
        attacked = attack_batch(images, ["first.png", "second.png"], MetricObjective(metric, references), trial).images
        with torch.no_grad():
            left[name] = (metric(attacked, references) / metric(images, references)).mean().item()
    assert left["lpips_squeeze"] < left["elpips"] < 1, left
