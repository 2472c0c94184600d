"""FGSM, I-FGSM, MI-FGSM and AMI-FGSM on metrics whose optimum is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from analytic_metrics import Linear, Quadratic, Wavy, change, random_images, random_weights, rounded

from metric_robustness.attacks.amifgsm import AMIFGSM
from metric_robustness.attacks.fgsm import FGSM
from metric_robustness.attacks.ifgsm import IFGSM
from metric_robustness.attacks.mifgsm import MIFGSM

FIXED_RADIUS = [FGSM(), IFGSM(), MIFGSM(), MIFGSM(normalise=True), AMIFGSM(**AMIFGSM.variants["published"])]
ITERATED = [IFGSM(), MIFGSM(), MIFGSM(normalise=True)]
NIQE = torch.tensor([4.0, 5.0, 8.0])


def level(value: float) -> torch.Tensor:
    """Returns one image whose values all have an 8-bit level."""
    return torch.full((1, 3, 7, 7), value / 255)


@pytest.mark.parametrize("goal", ["better", "worse"])
@pytest.mark.parametrize("higher_is_better", [True, False], ids=["higher", "lower"])
@pytest.mark.parametrize("attack", FIXED_RADIUS, ids=repr)
def test_reaches_the_optimum_of_a_linear_metric(attack, higher_is_better, goal):
    weights = random_weights()
    metric = Linear(weights, higher_is_better=higher_is_better)
    moved = change(replace(attack, goal=goal), metric, random_images(3), niqe=NIQE)
    gain = (moved * weights.double()).sum((1, 2, 3))
    best = 10 / 255 * weights.double().abs().sum() * (1 if higher_is_better == (goal == "better") else -1)
    torch.testing.assert_close(gain, best.expand(3), rtol=1e-5, atol=0)
    assert (moved[:, :, 2, 3:6] == 0).all()  # no weight, no step: sign(0) is 0


def test_reaches_the_optimum_of_a_quadratic_metric():
    attack = IFGSM()
    clear, target = random_images(3), random_images(1, seed=9, low=32, high=224)
    moved = change(attack, Quadratic(target), clear)
    best = (target - clear).clamp(-attack.eps, attack.eps)
    assert (moved - best).abs().max() <= 1 / 255 + 1e-6  # around a target within reach it oscillates by a step


@pytest.mark.parametrize("attack", ITERATED, ids=repr)
def test_no_step_leaves_eps(attack):
    """The attack takes gradients only where the result may lie."""
    clear = random_images(3)

    class Near(Linear):
        def score(self, images):
            assert (images.detach() - clear).abs().max() <= 4 / 255 + 1e-6
            return super().score(images)

    assert change(replace(attack, eps=4 / 255), Near(random_weights()), clear).any()


@pytest.mark.parametrize("attack", FIXED_RADIUS, ids=repr)
def test_stays_on_8_bit_values(attack):
    clear = random_images(3, low=0, high=256)
    adversarial = clear + change(attack, Wavy(), clear, niqe=NIQE).float()
    assert (adversarial - rounded(adversarial)).abs().max() < 1e-6


@pytest.mark.parametrize("attack", FIXED_RADIUS, ids=repr)
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_does_not_depend_on_the_scale_of_the_metric(attack, factor):
    clear, weights = random_images(2), random_weights()
    expected = change(attack, Linear(weights), clear, niqe=NIQE[:2])
    assert torch.equal(change(attack, Linear(weights * factor), clear, niqe=NIQE[:2]), expected)


def test_momentum_as_computed_by_hand():
    """Slopes are twice the distance to 100.6, in levels: up .6 from 100, down .4 from 101, down 1.4 from 102."""
    metric, clear = Quadratic(level(100.6)), level(100)

    def final(attack) -> float:
        moved = change(attack, metric, clear) * 255
        assert moved.std() < 1e-4
        return round(moved.mean().item(), 3)

    assert final(IFGSM(steps=2)) == 0  # up, down
    assert final(MIFGSM(steps=2)) == 2  # .6 up, then .6 - .4 = .2 up
    assert final(MIFGSM(steps=3)) == 1  # then .2 - 1.4 down
    assert final(MIFGSM(steps=2, decay=0.0)) == 0  # no memory: I-FGSM
    assert final(MIFGSM(steps=2, decay=0.8)) == 2  # .48 - .4 up
    assert final(MIFGSM(steps=2, decay=0.8, normalise=True)) == 0  # .8 - 1 down: both steps weigh the same


def test_normalising_is_per_image():
    """Normalised together with an image 50 levels off, the first image's gradients would be small and add up."""
    clear = torch.cat([level(100), level(150)])
    near, far = change(MIFGSM(steps=2, decay=0.8, normalise=True), Quadratic(level(100.6)), clear) * 255
    assert near.abs().max() < 1e-4
    assert (far + 2).abs().max() < 1e-4


def test_amifgsm_radius_is_k_over_niqe_of_each_image():
    niqe = torch.tensor([4.0, 8.0, 32.0, 0.5])
    clear = random_images(4, low=127, high=129)
    for k in (1.0, 0.125):
        moved = change(AMIFGSM(k=k), Linear(random_weights()), clear, niqe=niqe)
        radius = (k / niqe.double()).clamp(max=126 / 255)  # the range bounds the last image
        torch.testing.assert_close(moved.abs().amax((1, 2, 3)), radius, rtol=0.02, atol=0)
    assert AMIFGSM.variants["matched"] == {"k": 0.125}
    assert abs(0.125 / 4 - 8 / 255) < 0.2 / 255


def test_amifgsm_step_is_radius_over_steps():
    class Capped(Linear):
        """Flat once a value has risen by .06: without memory, the attack stops on the first step past it."""

        def score(self, images):
            return images.clamp(max=0.56).sum((1, 2, 3))

    clear = torch.full((1, 3, 7, 7), 0.5)
    moved = change(AMIFGSM(decay=0.0), Capped(random_weights()), clear, niqe=torch.tensor([4.0]))
    torch.testing.assert_close(moved, torch.full_like(moved, 3 * 0.025), rtol=1e-4, atol=0)


@pytest.mark.parametrize("niqe", [0.0, -3.0, torch.nan, -torch.inf, torch.inf])
def test_amifgsm_leaves_an_image_whose_niqe_is_no_positive_number(niqe):
    moved = change(AMIFGSM(), Linear(random_weights()), random_images(2), niqe=torch.tensor([niqe, 5.0]))
    assert (moved[0] == 0).all()
    assert moved[1].abs().max() > 0.19


def test_amifgsm_as_published_is_mifgsm():
    clear = random_images(3)
    published = change(AMIFGSM(**AMIFGSM.variants["published"]), Wavy(), clear, niqe=torch.tensor([0.1, 4.0, 50.0]))
    torch.testing.assert_close(published, change(MIFGSM(), Wavy(), clear), rtol=0, atol=1e-6)
