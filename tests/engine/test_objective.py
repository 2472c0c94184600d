"""The objective hides a metric's sign, range and reference, and counts what an attack spends."""

from __future__ import annotations

import pytest
import torch

from metric_robustness.metrics.base import FullReference, NoReference
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.contract.base import photographs
from metric_robustness.pipeline.engine.metric.build import build_metric
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective, seed


class Brightness(NoReference):
    higher_is_better = True
    score_range = (10.0, 30.0)

    def score(self, images):
        return images.mean(dim=(1, 2, 3))


class Darkness(Brightness):
    higher_is_better = False


class Distance(FullReference):
    higher_is_better = False
    score_range = (0.0, 0.5)

    def score(self, images, references):
        return (images - references).square().sum(dim=(1, 2, 3))


class Kinked(NoReference):
    """Slopes, image by image: none, infinite in a pixel, ordinary, infinite downwards, downwards in a pixel."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images):
        sizes = images.flatten(1)
        up, down = ((sizes[i, 0] - sizes[i, 0].detach()).sqrt() for i in (1, 3))
        return torch.stack([0 * sizes[0].sum(), up, sizes[2].sum(), -down, -sizes[4, 0]])


IMAGES = torch.rand(3, 3, 8, 9, generator=torch.Generator().manual_seed(0))


def test_the_objective_is_the_score_by_its_range():
    assert torch.allclose(MetricObjective(Brightness())(IMAGES), IMAGES.mean(dim=(1, 2, 3)) / 20)


def test_the_objective_rises_as_a_metric_falls_where_lower_is_better():
    assert torch.equal(MetricObjective(Darkness())(IMAGES), -MetricObjective(Brightness())(IMAGES))
    assert torch.equal(MetricObjective(Darkness()).gradient(IMAGES), -MetricObjective(Brightness()).gradient(IMAGES))


def test_a_gradient_is_each_image_s_own():
    references = IMAGES.flip(0)
    expected = -2 * (IMAGES - references) / 0.5
    assert torch.allclose(MetricObjective(Distance(), references).gradient(IMAGES), expected)
    alone = [MetricObjective(Distance(), references[[i]]).gradient(IMAGES[[i]]) for i in range(3)]
    assert torch.equal(torch.cat(alone), MetricObjective(Distance(), references).gradient(IMAGES))


def test_queries_and_gradients_are_counted_per_image():
    objective = MetricObjective(Brightness())
    objective(IMAGES)
    objective(IMAGES)
    objective.gradient(IMAGES)
    assert (objective.queries, objective.gradients) == (3, 1)


def test_a_black_box_attack_gets_no_gradient():
    objective = MetricObjective(Brightness(), access="black")
    objective(IMAGES)
    with pytest.raises(PermissionError, match='declare access = "white"'):
        objective.gradient(IMAGES)
    assert (objective.queries, objective.gradients) == (1, 0)


def test_a_query_keeps_no_graph_and_a_gradient_leaves_the_images_alone():
    images = IMAGES.clone()
    objective = MetricObjective(Brightness())
    assert not objective(images.requires_grad_()).requires_grad
    gradient = objective.gradient(images.detach())
    assert not gradient.requires_grad
    assert torch.equal(images, IMAGES)
    with torch.no_grad():
        assert torch.equal(objective.gradient(images.detach()), gradient)


def test_flaws_of_gradients_are_told_per_image():
    objective = MetricObjective(Kinked())
    assert objective.flaws(0) == []
    objective.gradient(torch.rand(5, 3, 8, 9))
    broken = ["gradient not finite"]
    assert [objective.flaws(index) for index in range(5)] == [["zero gradient"], broken, [], broken, []]


def test_a_clear_score_is_given_only_where_it_was_asked_for():
    known = torch.tensor([1.0, 2.0, 3.0])
    assert torch.equal(MetricObjective(Brightness(), surrogate_scores={"niqe": known}).clear_score("niqe"), known)
    with pytest.raises(KeyError, match="name it in `needs`"):
        MetricObjective(Brightness()).clear_score("niqe")


def test_bfloat16_is_used_where_it_was_asked_for():
    class Precision(Brightness):
        def score(self, images):
            self.seen = (images.flatten(1) @ torch.ones(images[0].numel(), 1)).dtype
            return images.mean(dim=(1, 2, 3))

    metric = Precision()
    MetricObjective(metric, dtype=torch.bfloat16)(IMAGES)
    assert metric.seen == torch.bfloat16
    MetricObjective(metric)(IMAGES)
    assert metric.seen == torch.float32


@pytest.mark.parametrize(
    "name",
    [
        "cw_ssim",
        "fsim",
        "gmsd",
        "ms_ssim",
        "niqe",
        "nlpd",
        "psnr",
        "psnry",
        "small_cnn",
        "small_vit",
        "ssim",
        "ssimc",
        "vif",
        "vsi",
    ],
)
def test_metrics_can_be_searched_in_bfloat16(name):
    metric = build_metric(lookup.find("metrics", name), torch.device("cpu"))
    (photograph,) = photographs(max(metric.smallest, 96), max(metric.smallest, 96), count=1)
    noise = torch.randn(photograph.shape, generator=torch.Generator().manual_seed(0)) / 50
    images = ((photograph + noise).clamp(0, 1) * 255).round()[None] / 255
    references = photograph[None] if isinstance(metric, FullReference) else None
    own, other = (
        MetricObjective(metric, references, dtype=dtype).gradient(images) for dtype in (torch.float32, torch.bfloat16)
    )
    assert other.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(own.flatten(), other.flatten(), dim=0) > 0.5


def test_noise_depends_on_the_names_and_on_nothing_else():
    torch.manual_seed(1)
    together = ImageNoise("noise", ["a", "b", "c"])
    drawn = [together.uniform(IMAGES), together.normal(IMAGES), together.uniform(IMAGES)]
    torch.manual_seed(2)
    for index, name in enumerate("abc"):
        alone = ImageNoise("noise", [name])
        part = IMAGES[[index]]
        again = [alone.uniform(part), alone.normal(part), alone.uniform(part)]
        assert all(torch.equal(one, many[[index]]) for one, many in zip(again, drawn, strict=True))
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0][0], drawn[0][1])
    assert not torch.equal(ImageNoise("other", ["a"]).uniform(IMAGES[:1]), drawn[0][:1])


def test_noise_has_the_ranges_it_promises():
    like = torch.empty(2, 3, 100, 100)
    uniform, normal = ImageNoise("n", ["a", "b"]).uniform(like), ImageNoise("n", ["a", "b"]).normal(like)
    assert uniform.min() >= -1
    assert uniform.max() < 1
    assert uniform.mean().abs() < 0.01
    assert uniform.std().item() == pytest.approx(3**-0.5, abs=0.01)
    assert normal.mean().abs() < 0.02
    assert normal.std().item() == pytest.approx(1, abs=0.02)


def test_a_seed_is_the_same_on_every_machine():
    assert seed("noise\na.png") == int("76d53b374253a4", 16)  # printf 'noise\na.png' | sha256sum
    assert 0 <= seed("") < 2**63


def test_the_gradient_of_a_plain_sum_can_be_written_into():
    class Sum(Brightness):
        def score(self, images):
            return images.sum(dim=(1, 2, 3))

    gradient = MetricObjective(Sum()).gradient(torch.rand(2, 3, 5, 4))
    gradient.nan_to_num_()
    assert (gradient == 1 / 20).all()
