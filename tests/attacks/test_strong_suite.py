"""Attacks that find the worst case: they reach a known optimum, keep the best, and need no gradient where it lies."""

from __future__ import annotations

import pytest
import torch
from analytic_metrics import Linear, Quadratic, Wavy, random_images

from metric_robustness.attacks.adam import AdamAttack
from metric_robustness.attacks.apgd import APGD
from metric_robustness.attacks.base import Attack
from metric_robustness.attacks.ifgsm import IFGSM
from metric_robustness.attacks.square import Square
from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective

NAMES = ["first.png", "second.png", "third.png"]
GRADIENTS = {"adam": AdamAttack(), "apgd": APGD()}
ALL = {**GRADIENTS, "square": Square(queries=300)}


def noise_of(seed: int, *size: int) -> torch.Tensor:
    return torch.randn(size or (3, 19, 23), generator=torch.Generator().manual_seed(seed))


def attacked(attack: Attack, metric: NoReference, images: torch.Tensor, names: list[str] = NAMES) -> torch.Tensor:
    access = attack.access
    return attack.rounded(attack(images, MetricObjective(metric, access=access), ImageNoise("a", names)), images)


def gain(attack: Attack, metric: NoReference, images: torch.Tensor) -> torch.Tensor:
    value = MetricObjective(metric)
    return value(attacked(attack, metric, images)) - value(images)


def levels(images: torch.Tensor) -> torch.Tensor:
    return (255 * images).round() / 255


class OnLevels(NoReference):
    """A linear metric of the rounded image: its gradient is 0 everywhere."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = weights

    def score(self, images: torch.Tensor) -> torch.Tensor:
        return (levels(images) * self.weights).sum((1, 2, 3)) + 0 * images.sum((1, 2, 3))


class Rippled(OnLevels):
    """The same on every level of 8 bits, but between them its gradient leads a quarter of a level off, and down."""

    def score(self, images: torch.Tensor) -> torch.Tensor:
        ripple = torch.sin(2 * torch.pi * 255 * images) / 255
        return ((images - 3 * ripple) * self.weights).sum((1, 2, 3))


# ---------------------------------------------------------------- a known optimum


@pytest.mark.parametrize("goal", ["better", "worse"])
@pytest.mark.parametrize("eps", [1 / 255, 3.3 / 255, 10 / 255])
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_reach_the_optimum_of_a_linear_metric(name, eps, goal):
    weights, images, sign = noise_of(1) / 100, random_images(3), 1 if goal == "better" else -1
    attack = type(GRADIENTS[name])(eps=eps, goal=goal)
    value, room = MetricObjective(Linear(weights)), int(255 * eps + 1e-3) / 255
    best = value(images + sign * room * weights.sign()) - value(images)
    assert (gain(attack, Linear(weights), images) / best >= 0.98).all()


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_reach_the_optimum_inside_the_box(name):
    images = random_images(3)
    target = (images[0] + 0.03 * noise_of(2)).clamp(0, 1)
    stiffness = 1 + 9 * noise_of(3).abs()
    metric, attack = Quadratic(target, stiffness), GRADIENTS[name]
    value = MetricObjective(metric)
    nearest = levels(images + (target - images).clamp(-attack.eps, attack.eps))
    assert (gain(attack, metric, images) / (value(nearest) - value(images)) >= 0.98).all()


@pytest.mark.parametrize("goal", ["better", "worse"])
def test_squares_reach_the_optimum_of_a_linear_metric_with_enough_queries(goal):
    size = (9, 11)  # a quarter of the pixels of the other images, which need a third of the queries
    weights, images, sign = noise_of(1, 3, *size) / 100, random_images(3, size), 1 if goal == "better" else -1
    value = MetricObjective(Linear(weights))
    best = value(images + sign * 10 / 255 * weights.sign()) - value(images)
    assert (gain(Square(queries=5000, goal=goal), Linear(weights), images) / best >= 0.98).all()


# ---------------------------------------------------------------- gradients that mislead


def test_squares_need_no_gradient_where_it_is_masked():
    images, hidden = random_images(3), OnLevels(noise_of(1) / 100)
    value = MetricObjective(hidden)
    best = value(images + 10 / 255 * hidden.weights.sign()) - value(images)
    assert (gain(Square(), hidden, images) / best > 0.4).all()
    for attack in GRADIENTS.values():
        assert torch.equal(attacked(attack, hidden, images), images)


def test_the_suite_passes_a_gradient_that_holds_for_a_quarter_of_a_level():
    images, rippled = random_images(3), Rippled(noise_of(1) / 100)
    value = MetricObjective(rippled)
    best = value(images + 10 / 255 * rippled.weights.sign()) - value(images)
    reached = torch.stack([gain(attack, rippled, images) for attack in ALL.values()]).amax(dim=0)
    assert (reached / best > 0.98).all()
    assert (gain(IFGSM(step=0.25 / 255), rippled, images) <= 0).all()


@pytest.mark.parametrize("name", ALL)
def test_an_image_that_no_step_raises_is_left_alone(name):
    images = random_images(3)
    metric = Quadratic(images, 1.0)  # each image is its own optimum
    assert torch.equal(attacked(ALL[name], metric, images), images)


def test_the_best_iterate_is_kept_and_not_the_last():
    class Rough(Wavy):
        def score(self, images):
            return (40 * images).sin().mean((1, 2, 3))

    images = random_images(3)
    for attack in GRADIENTS.values():
        assert (gain(attack, Rough(), images) >= gain(IFGSM(), Rough(), images)).all()


# ---------------------------------------------------------------- each image by itself


@pytest.mark.parametrize("name", ALL)
def test_an_image_is_the_same_bytes_in_any_batch(name):
    images = random_images(3)
    together = attacked(ALL[name], Wavy(), images)
    alone = [attacked(ALL[name], Wavy(), images[i : i + 1], NAMES[i : i + 1]) for i in range(3)]
    turned = attacked(ALL[name], Wavy(), images.flip(0), NAMES[::-1]).flip(0)
    assert torch.equal(together, torch.cat(alone))
    assert torch.equal(together, turned)


@pytest.mark.parametrize("size", [(1, 1), (7, 7), (3, 40)])
@pytest.mark.parametrize("name", ALL)
def test_small_and_narrow_images(name, size):
    images = random_images(2, size)
    value = MetricObjective(Wavy())
    assert (value(attacked(ALL[name], Wavy(), images, NAMES[:2])) >= value(images)).all()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("factor", [float("nan"), 0.0])
def test_a_metric_that_returns_nan_or_a_constant_gives_the_clear_image_back(name, factor):
    class Odd(Wavy):
        def score(self, images):
            return factor * super().score(images)

    images = random_images(3)
    assert torch.equal(attacked(ALL[name], Odd(), images), images)


@pytest.mark.parametrize("steps", [2, 9, 13])
@pytest.mark.parametrize("attack", [AdamAttack, APGD])
def test_the_best_is_found_and_spent_as_declared_whatever_the_number_of_steps(attack, steps):
    images, few, objective = random_images(3), attack(steps=steps), MetricObjective(Linear(noise_of(1) / 100))
    given = few(images, objective, ImageNoise("a", NAMES))
    assert (objective.queries, objective.gradients) == few.budget()
    assert (objective(given) > objective(images)).all()


def test_checkpoints_of_apgd_are_those_of_the_paper():
    assert list(dict(APGD(steps=100).checkpoints())) == [22, 41, 57, 70, 80, 87, 93, 99]
