"""Universal attacks reach known optima, add patterns as defined, and fits depend on nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from analytic_metrics import Distance, Linear, Quadratic, Wavy, random_images, random_weights, rounded

from metric_robustness.attacks.base import Universal
from metric_robustness.attacks.cumulative_uap import CumulativeUAP
from metric_robustness.attacks.facpa import FACPA
from metric_robustness.attacks.generative_uap import GenerativeUAP
from metric_robustness.attacks.optimized_uap import OptimizedUAP, ascend, with_moments
from metric_robustness.pipeline.catalogue.lookup import entries
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective

SIDE = 16
SIZE = (SIDE, SIDE)
# Attacks with enough steps to come near the optimum of a linear metric, and the share of it that they reach.
NEAR = {
    "cumulative": (CumulativeUAP(crop=SIDE, epochs=1), 0.9999),
    "optimized": (OptimizedUAP(crop=SIDE, epochs=12, lr=0.01), 0.9999),
    "generative": (GenerativeUAP(crop=SIDE, epochs=12, lr=0.02, width=8), 0.6),
}


def fitted(attack: Universal, metric, crops, references=None) -> torch.Tensor:
    """Returns the pattern that is fitted on crops, batch by batch, epoch by epoch."""
    state = attack.begin(ImageNoise("uap", ["training set"]))
    parts = [slice(start, start + attack.batch) for start in range(0, len(crops), attack.batch)]
    *_, last = attack.fit(batches(attack, metric, crops, references, parts), state)
    return attack.reached(last)


def batches(attack, metric, crops, references, parts):
    for _ in range(attack.epochs):
        for part in parts:
            yield crops[part], MetricObjective(metric, None if references is None else references[part])


@pytest.mark.parametrize("higher_is_better", [True, False], ids=["higher", "lower"])
@pytest.mark.parametrize("goal", ["better", "worse"])
@pytest.mark.parametrize("name", NEAR)
def test_comes_to_the_sign_of_a_linear_metrics_weights(name, goal, higher_is_better):
    attack, share = NEAR[name]
    weights, crops = random_weights(SIZE), random_images(16, SIZE)
    metric = Linear(weights, higher_is_better=higher_is_better)
    pattern = fitted(replace(attack, goal=goal), metric, crops)
    best = attack.eps * weights.sign() * (1 if higher_is_better == (goal == "better") else -1)
    assert (pattern * weights).sum() / (best * weights).sum() > share
    assert pattern.abs().max() <= attack.eps + 1e-6
    if share > 0.999:
        torch.testing.assert_close(pattern[weights != 0], best[weights != 0], rtol=0, atol=1e-4)


def test_the_cumulative_pattern_is_the_mean_of_the_signs_scaled_to_eps():
    first, second = random_weights(SIZE, seed=1), random_weights(SIZE, seed=2)
    attack, crops = CumulativeUAP(crop=SIDE), random_images(2, SIZE)
    state = attack.begin(ImageNoise("uap", ["x"]))
    for metric in (Linear(first), Linear(first), Linear(second)):
        (state,) = attack.fit([(crops, MetricObjective(metric))], state)
    mean = (2 * first.sign() + second.sign()) / 3
    torch.testing.assert_close(attack.reached(state), attack.eps * mean / mean.abs().max())


def test_the_published_rule_takes_raw_gradients_and_stays_within_eps():
    weights, attack = random_weights(SIZE), CumulativeUAP(crop=SIDE, rule="gradient", epochs=3)
    pattern = fitted(attack, Linear(weights), random_images(8, SIZE))
    torch.testing.assert_close(pattern, (3 * weights).clamp(-attack.eps, attack.eps))
    far = fitted(attack, Linear(weights, range_=1e-7), random_images(8, SIZE))  # its strength depends on the scale
    torch.testing.assert_close(far, attack.eps * weights.sign())


def test_ascent_is_adam():
    start, slopes = torch.randn(50), torch.randn(6, 50)
    parameter = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([parameter], lr=0.01, maximize=True)
    state = with_moments({"value": start.clone()}, "value")
    for slope in slopes:
        parameter.grad = slope.clone()
        optimiser.step()
        state = ascend(state, "value", slope, 0.01)
    torch.testing.assert_close(state["value"], parameter.detach())


@pytest.mark.parametrize("attack", [NEAR["cumulative"][0], replace(NEAR["optimized"][0], epochs=3)], ids=["cum", "opt"])
def test_the_scale_of_the_metric_changes_no_pattern(attack):
    crops = random_images(8, SIZE)
    small, large = (fitted(attack, Wavy(range_=1 / scale), crops) for scale in (1e-3, 1e3))
    torch.testing.assert_close(small, large, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NEAR)
def test_raises_the_objective_of_images_it_was_not_fitted_on_also_with_a_reference(name):
    attack = replace(NEAR[name][0], epochs=12)
    for metric, references in ((Wavy(), None), (Distance(), random_images(16, SIZE, low=150, high=200))):
        pattern = fitted(attack, metric, random_images(16, SIZE), references)
        clear = random_images(5, SIZE, seed=9)
        others = None if references is None else random_images(5, SIZE, low=150, high=200, seed=8)
        objective = MetricObjective(metric, others)
        moved = rounded(attack.at(0.8, pattern)(clear, objective, ImageNoise("uap", list("abcde"))))
        assert (objective(moved) > objective(clear)).all()


@pytest.mark.parametrize("amplitude", [0.2, 0.4, 0.8])
def test_the_pattern_is_repeated_from_the_corner_scaled_and_clipped(amplitude):
    pattern = 0.1 * (2 * torch.rand(3, 8, 8) - 1)
    clear = random_images(2, (19, 30), low=0, high=256)
    attack = OptimizedUAP().at(amplitude, pattern)
    moved = attack(clear, MetricObjective(Wavy()), ImageNoise("uap", ["a", "b"]))
    for row, column in ((0, 0), (7, 29), (8, 8), (18, 13)):
        expected = (clear[:, :, row, column] + amplitude * pattern[:, row % 8, column % 8]).clamp(0, 1)
        torch.testing.assert_close(moved[:, :, row, column], expected)
    assert (moved - clear).abs().max() <= amplitude * 0.1 + 1e-6
    alone = attack(clear[1:], MetricObjective(Wavy()), ImageNoise("uap", ["b"]))
    assert torch.equal(alone, moved[1:])


@pytest.mark.parametrize("images", [1, 8, 9, 16, 320, 1000])
@pytest.mark.parametrize("attack", [CumulativeUAP(), OptimizedUAP(), GenerativeUAP()], ids=lambda attack: attack.epochs)
def test_a_fit_has_the_fewest_epochs_that_are_enough_steps(attack, images):
    steps = len(range(0, images, attack.batch))  # of an epoch
    found = attack.passes(images)
    assert found >= attack.epochs
    assert found * steps >= 100
    assert found == attack.epochs or (found - 1) * steps < 100


def test_what_the_range_cuts_off_has_no_gradient():
    crops = torch.tensor([0.0, 0.5, 1.0]).expand(1, 3, 3, 3).clone()
    pattern = torch.full((3, 3, 3), 0.1)
    found = OptimizedUAP(crop=3).gradients(pattern, crops, MetricObjective(Linear(torch.ones(3, 3, 3))))
    assert torch.equal(found[0, 0, 0], torch.tensor([1.0, 1.0, 0.0]))
    found = OptimizedUAP(crop=3).gradients(-pattern, crops, MetricObjective(Linear(torch.ones(3, 3, 3))))
    assert torch.equal(found[0, 0, 0], torch.tensor([0.0, 1.0, 1.0]))


def dark_and_bright(count: int, seed: int) -> torch.Tensor:
    """Returns images of 8-bit levels about 80 and about 175, in turn."""
    level = torch.tensor([80, 175]).repeat(count // 2).view(-1, 1, 1, 1)
    return random_images(count, SIZE, low=-15, high=16, seed=seed) + level / 255


def test_facpa_finds_the_best_change_where_it_differs_by_image():
    """f = -mean (x - 1/2)^2: dark images must rise and bright ones fall, which one pattern cannot do."""
    metric, clear = Quadratic(torch.full((3, *SIZE), 0.5)), dark_and_bright(6, seed=9)
    objective, noise = MetricObjective(metric), ImageNoise("facpa", list("abcdef"))

    def gain(attack: Universal) -> torch.Tensor:
        pattern = fitted(attack, metric, dark_and_bright(16, seed=0))
        return objective(attack.at(1.0, pattern)(clear, objective, noise)) - objective(clear)

    attack = FACPA(crop=SIDE, epochs=60, lr=0.02, width=8)
    best = objective((0.5 - clear).clamp(-attack.eps, attack.eps) + clear) - objective(clear)
    assert (gain(attack) > 0.98 * best).all()
    assert (gain(replace(NEAR["optimized"][0], eps=attack.eps)) < 0.2 * best).any()
    noisy = clear + attack.eps * ImageNoise("noise", list("abcdef")).uniform(clear).sign()
    assert (objective(noisy) - objective(clear) < 0.2 * best).all()


def test_without_a_pattern_it_says_what_to_do():
    with pytest.raises(ValueError, match="must be fitted before it attacks: run python -m pipeline fit"):
        OptimizedUAP()(random_images(1), MetricObjective(Wavy()), ImageNoise("uap", ["a"]))


def test_every_universal_attack_is_an_entry():
    found = {name: entry for name, entry in entries("attacks").items() if entry.fields["family"] == "universal"}
    assert {"cumulative_uap", "optimized_uap", "generative_uap", "facpa"} <= set(found)
    for entry in found.values():
        assert entry.load()().amplitudes == ((1.0,) if entry.name == "facpa" else (0.2, 0.4, 0.8))
        assert (entry.load()().crop, entry.load()().batch) == (256, 8)
