"""Robust training: the slope is the l1 norm of the gradient, and a step of training lowers what it should."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from metric_robustness.defences.adversarial_training import AdversarialTraining
from metric_robustness.defences.gradient_norm import GradientNorm, slopes


def images(count: int = 4, side: int = 16, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.2 + 0.6 * torch.rand(count, 3, side, side, generator=generator)


def relu_network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(8 * 36, 1), nn.Flatten(0))


def norms(rate, shown: Tensor) -> Tensor:
    shown = shown.clone().requires_grad_()
    return torch.autograd.grad(rate(shown).sum(), shown)[0].abs().sum((1, 2, 3))


def measured(rate, shown: Tensor, step: float) -> Tensor:
    shown = shown.clone().requires_grad_()
    return slopes(rate, shown, rate(shown), step).detach()


def test_the_slope_of_a_line_is_its_norm_at_any_step() -> None:
    weights = torch.linspace(-1, 2, 3 * 16 * 16).view(3, 16, 16)
    found = measured(lambda shown: (shown * weights).sum((1, 2, 3)), images(), 0.1)
    torch.testing.assert_close(found, weights.abs().sum().expand(4), rtol=1e-3, atol=0)


def test_the_slope_of_an_analytic_metric_is_its_norm_to_a_percent() -> None:
    """sum(x^3) has the gradient 3 x^2, whose l1 norm is its sum."""
    shown = images().double()
    found = measured(lambda moved: moved.pow(3).sum((1, 2, 3)), shown, 1e-3)
    torch.testing.assert_close(found, 3 * shown.square().sum((1, 2, 3)), rtol=0.01, atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_the_slope_of_a_relu_network_is_its_norm_to_a_percent(seed: int) -> None:
    network, shown = relu_network(seed).double(), images(seed=seed).double()
    torch.testing.assert_close(measured(network, shown, 1e-4), norms(network, shown), rtol=0.01, atol=0)


def test_the_slope_has_the_gradient_of_the_norm_to_the_weights() -> None:
    """A line's norm is the sum of |w|, whose gradient with respect to w is the sign of w, whatever the images."""
    weights = torch.linspace(-1, 2, 3 * 16 * 16).view(3, 16, 16).double().requires_grad_()
    shown = images().double().requires_grad_()
    found = slopes(lambda moved: (moved * weights).sum((1, 2, 3)), shown, (shown * weights).sum((1, 2, 3)), 1e-3)
    (gradient,) = torch.autograd.grad(found.mean(), weights)
    torch.testing.assert_close(gradient, weights.detach().sign())


def step_down(network: nn.Module, loss: Tensor, rate: float) -> None:
    torch.autograd.backward(loss)
    torch.optim.SGD(network.parameters(), lr=rate).step()


def error(qualities: Tensor, wanted: Tensor) -> Tensor:
    return ((qualities - wanted) / 100).abs().mean()


@pytest.mark.parametrize("strength", [0.0, 1e4])
def test_one_step_makes_the_norm_smaller_where_it_is_asked_to(strength: float) -> None:
    """The labels equal the network's output, so that only the penalty changes the weights."""
    network, shown = relu_network(), images()
    before, labels = norms(network, shown), network(shown).detach()
    loss = GradientNorm(strength=strength, step=1e-3).loss(network, shown, labels, error, torch.Generator())
    assert loss.item() == pytest.approx(strength * (before / 100).square().mean().item() / 2, rel=0.05)
    step_down(network, loss, 0.003)
    after = norms(network, shown)
    assert torch.equal(after, before) if not strength else bool((after < before).all())


def test_without_strength_nothing_is_added() -> None:
    network, shown, labels = relu_network(), images(), torch.tensor([10.0, 20, 30, 40])
    for training in (GradientNorm(strength=0), AdversarialTraining(strength=0)):
        loss = training.loss(network, shown, labels, error, torch.Generator())
        assert loss.item() == pytest.approx(error(network(shown), labels).item())


@pytest.mark.parametrize("step", [0.25, 0.002])
def test_the_images_are_left_as_they_are(step: float) -> None:
    shown, labels = images(), torch.zeros(4)
    given = shown.clone()
    GradientNorm(strength=1, step=step).loss(relu_network(), given, labels, error, torch.Generator())
    AdversarialTraining(eps=step).loss(relu_network(), given, labels, error, torch.Generator())
    assert torch.equal(given, shown)
    assert not given.requires_grad


def test_the_inner_attack_of_a_line_reaches_the_corner() -> None:
    """The best change within eps is eps along the signs of the weights, cut off at black and white."""
    weights = torch.linspace(-1, 2, 3 * 16 * 16).view(3, 16, 16)
    shown = (images() * 1.25 - 0.1).clamp(0, 1)
    training = AdversarialTraining(eps=0.03, steps=3)
    found = training.attacked(lambda moved: (moved * weights).sum((1, 2, 3)), shown, torch.Generator().manual_seed(1))
    torch.testing.assert_close(found, (shown + 0.03 * weights.sign()).clamp(0, 1), rtol=0, atol=1e-6)


def test_attacked_images_are_labelled_lower_than_the_clear_ones() -> None:
    wanted: list[Tensor] = []

    def seen(qualities: Tensor, labels: Tensor) -> Tensor:
        wanted.append(labels)
        return error(qualities, labels)

    labels = torch.tensor([20.0, 40, 60, 80])
    for eps in (0.01, 0.1):
        wanted.clear()
        AdversarialTraining(eps=eps).loss(relu_network(), images(), labels, seen, torch.Generator().manual_seed(0))
        assert torch.equal(wanted[0], labels)
        assert bool((wanted[1] < labels).all())
        share = (wanted[1] / labels).mean()
        assert share > 0.95 if eps == 0.01 else share < 0.95


def test_one_step_of_adversarial_training_lowers_what_the_attack_gains() -> None:
    network, shown = relu_network(), images()
    training, labels = AdversarialTraining(eps=0.03), network(shown).detach()
    before = training.attacked(network, shown, torch.Generator().manual_seed(0))
    gain = (network(before) - network(shown)).mean().item()
    loss = training.loss(network, shown, labels, error, torch.Generator().manual_seed(0))
    step_down(network, loss, 0.1)
    assert (network(before) - network(shown)).mean().item() < gain


def unlike(wanted: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Returns an error in parts of the labels' spread, as a training measures it."""
    return lambda qualities, labels: ((qualities - labels) / wanted.std()).abs().mean()


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_a_strength_has_the_same_effect_whatever_the_scale_of_the_norm(scale: float) -> None:
    """A network times a factor has the norm times that factor; the norm of both falls by the same share."""
    network, shown = relu_network(), images()
    drops = []
    for factor in (1.0, scale):
        taught = copy.deepcopy(network)

        def rate(given: Tensor, taught: nn.Module = taught, factor: float = factor) -> Tensor:
            return factor * taught(given)

        labels = rate(shown).detach()
        training = GradientNorm(strength=1e-5, step=1e-3).fitted(rate, shown)
        assert isinstance(training, GradientNorm)
        before = norms(rate, shown).square().mean().sqrt()
        assert training.before == pytest.approx(before.item() / 100, rel=0.01)
        loss = training.loss(rate, shown, labels, unlike(labels), torch.Generator())
        step_down(taught, loss, 0.01)
        drops.append((1 - norms(rate, shown).square().mean().sqrt() / before).item())
    assert drops[0] > 1e-3
    assert drops[1] == pytest.approx(drops[0], rel=0.02)


def test_a_norm_that_is_set_is_not_measured() -> None:
    training = GradientNorm(before=7.0)
    assert training.fitted(relu_network(), images()) is training
    assert AdversarialTraining().fitted(relu_network(), images()) == AdversarialTraining()
