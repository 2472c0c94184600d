"""The strong suite on published networks: close to what a far longer search finds, and as far on a copy."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from published import load, torch_home
from torch import Tensor

from metric_robustness.attacks.adam import AdamAttack
from metric_robustness.attacks.base import Attack
from metric_robustness.metrics.base import FullReference
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.contract.base import photographs
from metric_robustness.pipeline.data.images import compress, to_tensor
from metric_robustness.pipeline.engine.metric.compiling import Ahead, CompiledSearch
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective
from metric_robustness.pipeline.engine.metric.runner import MetricRunner, Searched
from metric_robustness.pipeline.engine.metric.search_copy.block_convolution import BlockConvolution
from metric_robustness.pipeline.engine.metric.search_copy.fold import foldable, folded

__all__ = ["torch_home"]  # a fixture of this module

pytestmark = pytest.mark.slow
NAME = "photograph.png"
SEARCH = AdamAttack(steps=300)
STARTS = 3  # the clear image, and two at random within eps
# What the suite must reach of three searches of 300 steps, where it is not .95. On the first every step still helps; on
# all three a last digit decides which hill is climbed, so processors differ. Seen: .90, .97 and .97.
LEAST = {"eonss": 0.85, "cnniqa_live": 0.92, "vmaf": 0.9}
# Photographs of which the mean gain is compared, where one does not tell. EONSS's maxima choose anew with each step, so
# that a last digit sends a search elsewhere: single gains differ by up to .015, and to either side.
MANY = {"eonss": 3}
# Of the range, where it is not .005: I-FGSM loses there on one of the three.
OFF = {("eonss", "ifgsm"): 0.01}


def images_of(metric, count: int = 1) -> tuple[Tensor, Tensor | None]:
    """Returns small photographs to attack, and for a full-reference metric their originals."""
    side = max(metric.smallest, 96)
    clear = photographs(side, side)[:count]
    if not isinstance(metric, FullReference):
        return clear, None
    levels = (255 * clear).round().byte().permute(0, 2, 3, 1).numpy()
    return to_tensor([compress(pixels, 50) for pixels in levels]), clear


def gain(attack: Attack, metric, images: Tensor, references: Tensor | None) -> float:
    objective = MetricObjective(metric, references)
    names = [f"{number}{NAME}" if number else NAME for number in range(len(images))]
    attacked = attack.rounded(attack(images, objective, ImageNoise("search", names)), images)
    return (objective(attacked) - objective(images)).mean().item()


@pytest.mark.parametrize("name", ["eonss", "cnniqa_live", "brisque", "niqe_official", "lpips_squeeze", "vmaf"])
def test_it_reaches_what_three_searches_of_300_steps_find(name: str) -> None:
    metric = load(name)
    images, references = images_of(metric)
    strong = [entry for entry in lookup.entries("attacks").values() if entry.fields["suite"] == "strong"]
    if not name.startswith("niqe"):  # elsewhere a scout spares the search without gradients
        strong = [entry for entry in strong if not entry.fields["scout"]]
    members = {entry.name: gain(entry.load()(), metric, images, references) for entry in strong}
    noise = ImageNoise("starts", [NAME])
    starts = [images, *(images + SEARCH.eps * noise.uniform(images) for _ in range(STARTS - 1))]
    longer = [gain(replace(SEARCH, start=start), metric, images, references) for start in starts]
    assert max(members.values()) >= LEAST.get(name, 0.95) * max(longer), (members, longer)


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("name", ["eonss", "cnniqa_live", "lpips_squeeze", "small_cnn", "small_vit"])
def test_it_and_the_base_suite_come_as_far_on_the_copy_and_on_its_compiled_passes(name: str) -> None:
    metric, runner = load(name), MetricRunner(lookup.find("metrics", name), Path())
    images, references = images_of(metric, MANY.get(name, 1))
    twin = folded(metric, foldable(metric))
    assert any(isinstance(layer, BlockConvolution) for layer in twin.modules())
    search = CompiledSearch(runner, Searched(twin, ""))
    ahead = Ahead(gradient=True, bfloat16=False, seconds=math.inf)
    assert search.compile(images, references, ahead) == "", search.searched
    for attack in ("fgsm", "ifgsm", "mifgsm", "korhonen", "adam", "apgd"):
        found = lookup.find("attacks", attack).load()()
        own, *others = (gain(found, each, images, references) for each in (metric, twin, search.metric))
        assert others == pytest.approx([own, own], abs=OFF.get((name, attack), 0.005)), attack
