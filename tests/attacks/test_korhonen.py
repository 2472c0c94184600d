"""Korhonen & You: the activity map against scipy, the steps against torch's own Adam."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from analytic_metrics import Linear, Wavy, change, psnr, random_images, random_weights
from scipy import ndimage

from metric_robustness.attacks.korhonen import Korhonen, activity_map
from metric_robustness.pipeline.engine.metric.objective import MetricObjective

PUBLISHED = Korhonen(**Korhonen.variants["published"])
WITHOUT_CORNERS = np.ones((5, 5), bool)
WITHOUT_CORNERS[[0, 0, -1, -1], [0, -1, 0, -1]] = False


def reference_map(image: torch.Tensor, edges: str) -> np.ndarray:
    luma = np.tensordot([0.299, 0.587, 0.114], image.double().numpy(), 1)
    sobel = ndimage.sobel(luma)  # along the last axis, as the published code has it
    if edges == "magnitude":
        sobel = np.hypot(sobel, ndimage.sobel(luma, 0))
    inner = np.zeros_like(sobel)
    inner[1:-1, 1:-1] = sobel[1:-1, 1:-1]
    return ndimage.grey_dilation(inner / inner.max(), footprint=WITHOUT_CORNERS, mode="constant", cval=-9)


@pytest.mark.parametrize("size", [(7, 7), (19, 23), (40, 16)], ids=str)
@pytest.mark.parametrize("edges", ["magnitude", "horizontal"])
def test_map_is_that_of_scipy(edges, size):
    images = random_images(3, size, low=0, high=256)
    expected = np.stack([reference_map(image, edges) for image in images])[:, None]
    np.testing.assert_allclose(activity_map(images, edges).numpy(), expected, atol=1e-5)


def test_map_of_a_step_edge_as_computed_by_hand():
    image = torch.full((1, 3, 9, 12), 0.2)
    image[..., 6:] = 0.7  # Sobel answers in columns 5 and 6, the dilation adds two on each side
    expected = torch.zeros(9, 12)
    expected[:, 3:9] = 1
    torch.testing.assert_close(activity_map(image, "magnitude")[0, 0], expected)
    torch.testing.assert_close(activity_map(image.mT, "magnitude")[0, 0], expected.T)
    torch.testing.assert_close(activity_map(image, "horizontal")[0, 0], expected)
    assert (activity_map(image.mT, "horizontal") == 1).all()  # the published map misses this edge


@pytest.mark.parametrize("edges", ["magnitude", "horizontal"])
def test_map_of_a_flat_image_is_1(edges):
    flat = torch.tensor([0.1, 0.3, 0.7]).view(1, 3, 1, 1).expand(1, 3, 9, 9)
    assert torch.equal(activity_map(flat, edges), torch.ones(1, 1, 9, 9))


def test_first_step_is_lr_times_the_map():
    clear, weights = random_images(3), random_weights()
    expected = 0.005 * activity_map(clear, "magnitude") * weights.sign()
    torch.testing.assert_close(change(Korhonen(steps=1), Linear(weights), clear).float(), expected, rtol=0, atol=1e-6)


def adam(attack: Korhonen, images: torch.Tensor, epsilon: float) -> torch.Tensor:
    """The same attack with torch's optimiser."""
    activity = activity_map(images, attack.edges)
    parameter = torch.nn.Parameter(images.clone())
    optimiser = torch.optim.Adam([parameter], lr=attack.lr, eps=epsilon, maximize=True)
    for _ in range(attack.steps):
        before = parameter.detach().clone()
        parameter.grad = MetricObjective(Wavy()).gradient(before)
        if attack.weighed == "gradient":
            parameter.grad *= activity / 255
        optimiser.step()
        if attack.weighed == "update":
            parameter.data = before + activity * (parameter.data - before)
        parameter.data = attack.project(parameter.data, images)
    return parameter.detach() - images


@pytest.mark.parametrize(("attack", "epsilon"), [(Korhonen(), 1e-20), (PUBLISHED, 1e-8)], ids=["page", "published"])
def test_steps_are_those_of_adam(attack, epsilon):
    clear = random_images(3, low=0, high=256)
    torch.testing.assert_close(change(attack, Wavy(), clear).float(), adam(attack, clear, epsilon), rtol=0, atol=2e-5)


def test_strength_does_not_depend_on_the_scale_of_the_metric():
    clear = random_images(3)
    expected = change(Korhonen(), Wavy(), clear)
    for range_ in (0.01, 100.0, 1e6):
        torch.testing.assert_close(change(Korhonen(), Wavy(range_=range_), clear), expected, rtol=0, atol=1e-5)


def test_strength_as_published_depends_on_the_scale_of_the_metric():
    clear = random_images(1, (299, 299))
    strong, weak = (psnr(change(PUBLISHED, Wavy(range_=range_), clear)).item() for range_ in (0.01, 100.0))
    assert strong < 27
    assert weak > 40


def test_as_published_no_eps_bounds_the_change():
    moved = change(PUBLISHED, Linear(random_weights() * 1e6), random_images(2))
    assert moved.abs().max() > 12 / 255
