"""No step of an attack makes the processor wait for the GPU: more steps cause no more waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from waits import GPU, waits_of

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective, Search, Universal
from metric_robustness.metrics.base import Metric
from metric_robustness.pipeline.catalogue.lookup import entries, find
from metric_robustness.pipeline.engine.metric.first_gradients import FirstGradients
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective
from metric_robustness.pipeline.engine.universal.crop_objective import CropObjective

SIDE = 64
STEPS = (2, 12)  # of ten iterates the best is judged, so that one of the two has such a judgement
# What a batch waits for once, however many steps there are: whether the result is finite, whether the first gradient is
# asked for at the clear image, and three copies: two of what is kept of that, and one of noise or of scores by NIQE.
ONCE = {"_local_scalar_dense": 1, "equal": 1, "_to_copy": 3}
ASKS: dict[str, Callable[[Tensor], object]] = {
    "item": lambda images: images.mean().item(),
    "if": lambda images: bool((images > 0).all()),
    "list": lambda images: images.mean((1, 2, 3)).tolist(),
    "equal": lambda images: torch.equal(images, images),
    "copy to the processor": lambda images: images.cpu(),
    "copy to the GPU": lambda images: torch.ones(2).to(images),
    "made of a list": lambda images: images.new_tensor([1.0, 2.0]),
    "nonzero": lambda images: images.nonzero(),
    "mask": lambda images: images[images > 0],
    "index from the processor": lambda images: images[torch.tensor([1, 0])],
}
ASKS_NOTHING: dict[str, Callable[[Tensor], object]] = {
    "where": lambda images: images.where(images > 0, 0),
    "index on the GPU": lambda images: images[images.mean((1, 2, 3)).argsort()],
    "filled by mask": lambda images: images.clone().masked_fill_(images > 0, 1),
    "Python's numbers": lambda images: 2 * images.clamp(0, 1),
}


@dataclass(frozen=True)
class Waiting(Attack):
    """Follows the gradient, and asks something of the host in each step."""

    access = "white"
    family = "sign"
    formula = ""

    asks: str = "item"
    steps: int = 10

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        for _ in range(self.steps):
            images = images + objective.gradient(images).sign() / 255
            (ASKS | ASKS_NOTHING)[self.asks](images)
        return images

    def budget(self) -> Budget:
        return Budget(queries=self.steps, gradients=self.steps)


@pytest.fixture(scope="module")
def metric() -> Metric:
    found: Metric = find("metrics", "small_cnn").load()()
    return found.eval().requires_grad_(requires_grad=False).to(GPU)


def attacks_of_suites(*, universal: bool) -> list[tuple[str, str]]:
    """Returns the names and variants of the attacks of both suites."""
    return [
        (entry.name, variant)
        for entry in entries("attacks").values()
        if entry.fields.get("suite") in {"base", "strong"} and (entry.fields["family"] == "universal") == universal
        for variant in ["", *entry.fields.get("variants", {})]
    ]


def built(name: str, variant: str, **changes: Any) -> Any:
    """Returns an attack with the settings of a variant."""
    entry = find("attacks", name)
    return entry.load()(**(entry.fields.get("variants", {}).get(variant, {}) | changes))


def with_steps(attack: Attack, steps: int) -> Attack:
    """Returns the attack with so many steps or queries, of each kind that it has."""
    counts = {each.name for each in fields(attack)} & {"steps", "small_steps", "queries"}
    return replace(attack, **{name: steps for name in counts if getattr(attack, name)})


def waits(attack: Attack, metric: Metric) -> dict[str, int]:
    """Returns what an attack on two images waits for; the first gradient is kept, as the engine does."""
    images = torch.rand(2, 3, SIDE, SIDE).to(GPU)
    scores = {need: torch.ones(2) for need in attack.needs}
    objective = MetricObjective(metric, surrogate_scores=scores)
    objective.first = FirstGradients().at("batch", images)
    return waits_of(lambda: attack(images, objective, ImageNoise("attack", ["first", "second"])))


@pytest.mark.parametrize("asks", ASKS)
def test_attack_that_waits_in_each_step_is_found(asks: str, metric: Metric) -> None:
    few, more = (waits(Waiting(asks=asks, steps=steps), metric) for steps in STEPS)
    assert sum(more.values()) - sum(few.values()) >= STEPS[1] - STEPS[0]


@pytest.mark.parametrize("asks", ASKS_NOTHING)
def test_attack_that_stays_on_the_gpu_is_not_blamed(asks: str, metric: Metric) -> None:
    few, more = (waits(Waiting(asks=asks, steps=steps), metric) for steps in STEPS)
    assert few == more


@pytest.mark.parametrize(("name", "variant"), attacks_of_suites(universal=False))
def test_more_steps_wait_no_more(name: str, variant: str, metric: Metric) -> None:
    few, more = (waits(with_steps(built(name, variant), steps), metric) for steps in STEPS)
    assert few == more
    assert all(count <= ONCE.get(operator, 0) for operator, count in few.items())


def test_search_that_goes_on_within_a_smaller_budget_waits_no_more(metric: Metric) -> None:
    search: Search = built("adam", "").within(4 / 255)
    begun = replace(search, start=torch.rand(2, 3, SIDE, SIDE).to(GPU))
    few, more = (waits(with_steps(begun, steps), metric) for steps in STEPS)
    assert few == more


@pytest.mark.parametrize(("name", "variant"), attacks_of_suites(universal=True))
def test_step_of_a_fit_waits_for_nothing(name: str, variant: str, metric: Metric) -> None:
    attack: Universal = built(name, variant, crop=SIDE)
    begun = attack.begin(ImageNoise(name, ["training set"]))
    state = {key: value.to(GPU) for key, value in begun.items()}
    crops = torch.rand(4, 3, SIDE, SIDE).to(GPU)
    objective = CropObjective(metric, None, torch.float32, most=2)

    def steps() -> None:
        for _ in attack.fit([(crops, objective)] * 3, state):
            pass

    assert waits_of(steps) == {}
