"""E-LPIPS: without its transformations it is LPIPS, its mean converges, and its score stays where it is."""

from __future__ import annotations

import pytest
import torch
from published import load, torch_home
from torch import Tensor

from metric_robustness.attacks.adam import AdamAttack
from metric_robustness.metrics.elpips import Elpips
from metric_robustness.metrics.transformations_adapter import draw
from metric_robustness.pipeline.contract.base import photographs
from metric_robustness.pipeline.data.images import compress, to_tensor
from metric_robustness.pipeline.engine.attack.batch import attack_batch
from metric_robustness.pipeline.engine.attack.passes import Trial
from metric_robustness.pipeline.engine.metric.draws import draws_of
from metric_robustness.pipeline.engine.metric.objective import MetricObjective

__all__ = ["torch_home"]  # a fixture of this module

LPIPS_HEADS = (1, 3, 5, 6, 7, 8, 9)  # of the ten places whose features E-LPIPS compares, those of LPIPS
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def elpips(torch_home) -> Elpips:
    return load("elpips")


def pair(side: int) -> tuple[Tensor, Tensor]:
    references = photographs(side, side)[:2]
    noise = torch.randn(references.shape, generator=torch.Generator().manual_seed(0))
    return (references + 0.05 * noise).clamp(0, 1), references


@torch.no_grad()
def test_without_its_transformations_and_with_lpips_heads_it_is_lpips() -> None:
    lpips, metric = load("lpips_squeeze"), load("elpips")
    state = lpips.state_dict()
    for number in range(10):
        metric.get_buffer(f"head{number}").zero_()
    for place, number in enumerate(LPIPS_HEADS):
        (head,) = (value for name, value in state.items() if name.endswith(f"lin{place}.model.1.weight"))
        metric.get_buffer(f"head{number}").copy_(head.flatten())
    images, references = pair(128)  # where LPIPS's pooling, which keeps parts of windows, gives maps of the same size
    found = metric.distances([lambda images: images], images, references, lost=0)[0]
    torch.testing.assert_close(found, lpips(images, references), rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_draws_of_different_sizes_give_what_each_gives_alone(elpips) -> None:
    images, references = pair(128)[0][..., :150], pair(128)[1][..., :150]
    drawn = [each for each in draw(12, 128, 128) if each.scale == 1][:3]
    together = elpips.distances(drawn, images, references, lost=0)
    alone = torch.cat([elpips.distances([each], images, references, lost=0) for each in drawn])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-7)


@torch.no_grad()
def test_the_mean_over_draws_converges(elpips) -> None:
    images, references = pair(96)
    scores = torch.stack([elpips.unchecked(images, references) for _ in range(32)])
    assert (scores.std(dim=0) > 0).all()
    few, many = scores[:2].mean(0), scores.view(4, 8, -1).mean(1)
    assert (many.std(dim=0) < 0.6 * scores.std(dim=0)).all()
    assert ((many - scores.mean(0)).abs() < 0.15 * scores.mean(0)).all(), few


def test_a_score_is_always_judged_by_the_same_draws_and_a_search_draws_anew(elpips) -> None:
    images, references = pair(64)
    before = torch.get_rng_state()
    first, again = elpips(images, references), elpips(images, references)
    assert torch.equal(first, again)
    torch.testing.assert_close(elpips(images[1:], references[1:]), first[1:], rtol=1e-4, atol=1e-6)
    searches = []
    for name in ("adam", "adam", "apgd"):
        objective = MetricObjective(elpips, references)
        with draws_of(name, CPU):
            searches.append(torch.stack([objective(images), objective(images)]))
    assert torch.equal(searches[0], searches[1])
    assert not torch.equal(searches[0], searches[2])
    assert not torch.equal(*searches[0])
    assert torch.equal(before, torch.get_rng_state())


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
