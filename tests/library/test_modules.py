"""Modules that one calls: metrics of the catalogue, metrics behind a defence, and one attack on either."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from scratch import PACKAGE, ROOT
from torch import nn

import metric_robustness as mr
from metric_robustness.attacks.base import Images


class Bright(nn.Module):
    """A network without a range or a direction of its own."""

    def forward(self, images: Images) -> torch.Tensor:
        return (images.square() * (1 + images.flip(3))).mean(dim=(1, 2, 3))


@pytest.fixture
def images():
    """Returns three noise images on the 256 levels."""
    return torch.rand(3, 3, 40, 36, generator=torch.Generator().manual_seed(0)).mul(255).round().div(255)


@pytest.mark.whole
def test_looking_at_the_catalogue_loads_no_torch():
    code = f"import sys, {PACKAGE} as mr; mr.catalogue(); assert 'evaluate' in dir(mr); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_the_catalogue_is_a_table():
    table = mr.catalogue()
    assert set(table["what"]) == {"metrics", "attacks", "defences", "datasets"}
    assert {"ssim", "adam", "jpeg", "sample"} <= set(table["name"])
    assert mr.catalogue("attacks").set_index("name").loc["adam", "suite"] == "strong"


def test_a_metric_of_the_catalogue_is_called_with_its_facts(images):
    metric = mr.metric("psnr")
    assert (metric.entry.kind, metric.higher_is_better) == ("FR", True)
    worse = (images + 0.1).clamp(0, 1)
    expected = -10 * (worse - images).square().mean(dim=(1, 2, 3)).log10()
    assert torch.allclose(metric(worse, images), expected, atol=1e-3)


def test_a_defended_metric_scores_purified_images_with_a_gradient(images):
    metric, given = mr.metric("small_cnn"), mr.metric("small_cnn+jpeg")
    defended = mr.defend("small_cnn", "jpeg")
    assert torch.equal(defended(images), given(images))
    assert torch.equal(defended(images), metric(defended.defence(images, None)))
    assert not torch.equal(defended(images), metric(images))
    (gradient,) = torch.autograd.grad(defended(images.requires_grad_()).sum(), images)
    assert gradient.abs().sum() > 0


def test_a_random_defence_draws_the_same_each_time(images):
    defended = mr.defend(Bright(), "random_noise")
    assert torch.equal(defended(images), defended(images))
    assert torch.allclose(defended(images), Bright()(images), atol=0.05)


@pytest.mark.parametrize("name", ["fgsm", "adam", "square", "noise"])
def test_an_attack_stays_within_eps_and_raises_the_score(images, name):
    settings = {"queries": 50} if name == "square" else {}
    attacked = mr.attack(Bright(), images, name, eps=4 / 255, **settings)
    assert attacked.shape == images.shape
    assert (attacked - images).abs().max() <= 4 / 255 + 1e-6
    assert torch.equal(attacked.mul(255).round() / 255, attacked)
    if name != "noise":
        assert (Bright()(attacked) > Bright()(images)).all()
    assert torch.equal(mr.attack(Bright(), images, name, eps=4 / 255, **settings), attacked)


def test_a_seed_changes_the_noise_and_a_direction_the_sign(images):
    drawn = [mr.attack(Bright(), images, "noise", seed=seed) for seed in (0, 1)]
    assert not torch.equal(*drawn)
    lowered = mr.attack(Bright(), images, "fgsm", higher_is_better=False)
    assert (Bright()(lowered) < Bright()(images)).all()


def test_an_attack_that_asks_other_metrics_gets_them(images):
    attacked = mr.attack(Bright(), images[:1], "madc", score_range=(0, 1))
    assert Bright()(attacked) > Bright()(images[:1])


def test_a_metric_of_two_arguments_is_attacked_against_its_originals(images):
    clear = (images + 0.05).clamp(0, 1)

    def distance(images: Images, references: Images) -> torch.Tensor:
        return (images - references).square().mean(dim=(1, 2, 3))

    attacked = mr.attack(distance, clear, "ifgsm", references=images)
    found = tuple(distance(each, images) for each in (clear, attacked))
    assert (found[1] > found[0]).all()
