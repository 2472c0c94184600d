"""What every attack must do; a new file in attacks/ is tested without a new test."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from analytic_metrics import Distance, OddOnBright, Wavy, random_images, rounded

from metric_robustness.pipeline.catalogue.lookup import entries
from metric_robustness.pipeline.contract.attack import Sameness
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective

# Universal attacks need a fit on a training set first: test_universal.py tests them.
ENTRIES = {name: entry for name, entry in entries("attacks").items() if entry.fields.get("family") != "universal"}
CELLS = [(name, variant) for name, entry in ENTRIES.items() for variant in ["", *entry.fields.get("variants", {})]]
ADVERSARIES = [cell for cell in CELLS if ENTRIES[cell[0]].fields.get("family") != "control"]
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
NAMES = ("a.png", "b.png", "c.png")
NIQE = (4.0, 7.0, 11.0)


def label(cell) -> str:
    return "-".join(filter(None, cell))


def make(cell, **settings):
    """Returns the attack; a long search with a quarter of its steps.

    It keeps these promises, or breaks them, whatever its length; tests/contract checks it with all its steps.
    """
    name, variant = cell
    entry = ENTRIES[name]
    changes = entry.fields.get("variants", {}).get(variant, {})
    lengths = {key: (entry.fields | changes).get(key, 0) for key in ("steps", "small_steps", "queries")}
    shorter = {key: length // 4 for key, length in lengths.items() if length > 20}
    return entry.load()(**{**changes, **shorter, **settings})


def attacked(attack, name, metric, images, references=None, *, which=(0, 1, 2), device="cpu"):
    """Attacks the images with the indices `which`, in that order; returns the result and the objective."""
    which = list(which)
    niqe = {need: torch.tensor(NIQE)[which] for need in attack.needs}
    part = images[which].to(device)
    references = None if references is None else references[which].to(device)
    close = {need: MetricObjective(Sameness(), part) for need in attack.needs}
    objective = MetricObjective(metric, references, access=attack.access, surrogate_scores=niqe, surrogates=close)
    result = attack(part, objective, ImageNoise(name, [NAMES[i] for i in which]))
    return result.cpu(), objective


@cache
def together(cell):
    """Returns the run with the usual settings, which many tests compare with."""
    return attacked(make(cell), cell[0], Wavy(), random_images(3))


def test_every_attack_file_is_an_entry():
    assert {"fgsm", "ifgsm", "mifgsm", "amifgsm", "korhonen", "madc", "noise"} <= set(ENTRIES)
    assert [entry.problem for entry in ENTRIES.values() if entry.problem] == []


@pytest.mark.parametrize("goal", ["better", "worse"])
@pytest.mark.parametrize("higher_is_better", [True, False], ids=["higher", "lower"])
@pytest.mark.parametrize("cell", ADVERSARIES, ids=label)
def test_moves_the_metric_the_right_way_after_rounding(cell, higher_is_better, goal):
    metric, clear = Wavy(higher_is_better=higher_is_better), random_images(3)
    result, _ = attacked(make(cell, goal=goal), cell[0], metric, clear)
    rises = (rounded(result) != clear).any() and (metric(rounded(result)) > metric(clear)).all()
    falls = (rounded(result) != clear).any() and (metric(rounded(result)) < metric(clear)).all()
    assert rises if higher_is_better == (goal == "better") else falls


@pytest.mark.parametrize("cell", CELLS, ids=label)
def test_a_full_reference_metric_is_attacked_against_its_own_reference(cell):
    clear, reference = random_images(3), random_images(3, seed=5)
    result, _ = attacked(make(cell), cell[0], Distance(), clear, reference)
    value = make(cell).aim(MetricObjective(Distance(), reference))
    assert (value(rounded(result)) > value(clear)).all() or cell not in ADVERSARIES


@pytest.mark.parametrize("cell", CELLS, ids=label)
def test_stays_within_eps_and_the_range(cell):
    clear = random_images(3, low=0, high=256)
    for eps in (make(cell).eps, 3 / 255):
        result, _ = attacked(make(cell, eps=eps), cell[0], Wavy(), clear)
        assert (result - clear).abs().max() <= eps + 1e-6
        assert result.min() >= 0
        assert result.max() <= 1
        assert result.dtype == torch.float32
        assert not result.requires_grad


@pytest.mark.parametrize("cell", CELLS, ids=label)
def test_asks_about_images_within_the_range_only(cell):
    class Refusing(Wavy):
        def score(self, images):
            low, high = images.detach().aminmax()
            assert low >= 0
            assert high <= 1
            return super().score(images)

    attacked(make(cell), cell[0], Refusing(), random_images(3, low=0, high=256))


@pytest.mark.parametrize("cell", CELLS, ids=label)
@pytest.mark.parametrize("which", [(0,), (1,), (2,), (2, 0, 1), (1, 2)], ids=str)
def test_an_image_gets_what_it_would_get_alone(cell, which):
    result, _ = attacked(make(cell), cell[0], Wavy(), random_images(3), which=which)
    torch.testing.assert_close(result, together(cell)[0][list(which)], rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS, ids=label)
def test_is_the_same_in_every_run(cell):
    assert torch.equal(attacked(make(cell), cell[0], Wavy(), random_images(3))[0], together(cell)[0])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("cell", CELLS, ids=label)
def test_is_the_same_on_every_device(cell, device):
    result, _ = attacked(make(cell), cell[0], Wavy(), random_images(3), device=device)
    # Rounding decides the sign of a gradient near 0, so a few values may differ by a step.
    assert ((result - together(cell)[0]).abs() > 1e-5).float().mean() < 0.001


@pytest.mark.parametrize("factor", [torch.nan, 1e30])
@pytest.mark.parametrize("cell", CELLS, ids=label)
def test_an_image_with_nan_or_huge_scores_changes_no_other(cell, factor):
    images = random_images(3)
    images[1] = 240 / 255
    result, _ = attacked(make(cell), cell[0], OddOnBright(factor), images)
    healthy, _ = attacked(make(cell), cell[0], OddOnBright(factor), images, which=(0, 2))
    torch.testing.assert_close(result[[0, 2]], healthy, rtol=0, atol=1e-6)
    assert (result[[0, 2]] != images[[0, 2]]).any()
    assert factor == 1e30 or torch.equal(result[1], images[1]) or cell not in ADVERSARIES


@pytest.mark.parametrize("cell", ADVERSARIES, ids=label)
def test_a_flat_objective_leaves_the_image(cell):
    clear = random_images(3)  # its own reference: the gradient of the distance is 0 there
    if make(cell).access == "white":
        assert torch.equal(attacked(make(cell), cell[0], Distance(), clear, clear)[0], clear)


@pytest.mark.parametrize("cell", CELLS, ids=label)
def test_leaves_its_input_alone(cell):
    clear = random_images(3)
    attacked(make(cell), cell[0], Wavy(), clear)
    assert torch.equal(clear, random_images(3))


@pytest.mark.parametrize("cell", CELLS, ids=label)
def test_does_nothing_with_eps_0(cell):
    clear = random_images(3, low=0, high=256)
    assert torch.equal(attacked(make(cell, eps=0.0), cell[0], Wavy(), clear)[0], clear)


@pytest.mark.parametrize("cell", CELLS, ids=label)
def test_spends_what_it_declares(cell):
    attack, (_, objective) = make(cell), together(cell)
    assert (objective.queries, objective.gradients) == attack.budget()
    assert attack.access == "white" or objective.gradients == 0


@pytest.mark.parametrize("cell", [cell for cell in CELLS if "steps" in ENTRIES[cell[0]].fields], ids=label)
def test_spends_what_it_declares_with_other_steps(cell):
    attack = make(cell, steps=3)
    _, objective = attacked(attack, cell[0], Wavy(), random_images(3))
    assert (objective.queries, objective.gradients) == attack.budget() != make(cell).budget()


@pytest.mark.parametrize("size", [(7, 7), (7, 30), (33, 35), (16, 24)], ids=str)
@pytest.mark.parametrize("cell", CELLS, ids=label)
def test_accepts_any_size(cell, size):
    clear = random_images(3, size)
    result, _ = attacked(make(cell), cell[0], Wavy(), clear)
    assert result.shape == clear.shape
    assert (result != clear).any()


class Shapes:
    """An objective for the meta device, where a tensor has a shape but no values, and reading one is an error."""

    def __call__(self, images):
        return images.mean((1, 2, 3))

    def gradient(self, images):
        return torch.empty_like(images)

    def value_and_gradient(self, images):
        return self(images), self.gradient(images)

    def closeness(self, metric):
        return self

    def clear_score(self, metric):
        return torch.empty(3, device="meta")


@pytest.mark.parametrize("cell", [c for c in CELLS if ENTRIES[c[0]].fields.get("access") == "white"], ids=label)
def test_never_reads_values_for_which_it_would_wait_for_the_device(cell):
    result = make(cell).perturb(random_images(3).to("meta"), Shapes(), ImageNoise(cell[0], list(NAMES)))
    assert result.shape == random_images(3).shape


def test_gradients_that_are_not_finite_reach_no_attack():
    class Infinite(Wavy):
        def score(self, images):
            return (images - images.detach()).sqrt().sum((1, 2, 3))  # infinite slope at 0

    clear = random_images(2)
    assert not MetricObjective(Infinite()).gradient(clear).isfinite().any()
    attack = replace(make(("fgsm", "")), eps=8 / 255)
    assert torch.equal(attacked(attack, "fgsm", Infinite(), clear, which=(0, 1))[0], clear)
