"""Random resizing: where a copy lies on its canvas, what is compared, and a score that is the mean over copies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from metric_robustness.defences.random_resizing import RandomResizing
from metric_robustness.metrics.base import NoReference
from metric_robustness.metrics.ssim import Ssim
from metric_robustness.pipeline.engine.metric.defended import DefendedMetric
from metric_robustness.pipeline.engine.metric.objective import ImageNoise

DEFENCE = RandomResizing()
NAMES = ["a.png", "b.png"]


class Gradient(NoReference):
    """The mean change from column to column: another number for each copy."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Tensor) -> Tensor:
        return images.diff(dim=3).abs().mean(dim=(1, 2, 3))


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Returns two images without hard edges, by formula."""
    y, x = torch.arange(61.0).view(-1, 1), torch.arange(90.0)
    waves = [(0.2 * x + 0.1 * y + i).sin() * (0.15 * y - 0.1 * x + i).cos() for i in range(6)]
    return 0.5 + 0.4 * torch.stack(waves).view(2, 3, 61, 90)


def draw(images: Tensor, defence: RandomResizing = DEFENCE, names: list[str] = NAMES) -> Tensor:
    return defence(images, ImageNoise("random_resizing", names))


def by_pillow(channel: Tensor, height: int, width: int) -> Tensor:
    return torch.from_numpy(
        np.asarray(Image.fromarray(channel.numpy()).resize((width, height), Image.Resampling.BILINEAR)).copy()
    )


def test_of_299_pixels_the_canvas_has_331():
    assert draw(torch.rand(1, 3, 299, 299), names=["a"]).shape == (1, 3, 331, 331)


def test_a_copy_is_the_image_enlarged_by_pillow_somewhere_on_the_canvas(images):
    for image, copy in zip(images, draw(images), strict=True):
        canvas = copy.shape[1:]
        gaps = {}
        for height in range(61, canvas[0] + 1):
            for width in range(90, canvas[1] + 1):
                enlarged = by_pillow(image[0], height, width)
                windows = copy[0].unfold(0, height, 1).unfold(1, width, 1)
                gaps[height, width] = (windows - enlarged).abs().amax(dim=(2, 3)).min().item()
        assert min(gaps.values()) < 1e-5, gaps


def test_around_a_copy_its_border_repeats():
    """Of an image of one colour nothing else is left, however it lies."""
    colour = torch.rand(2, 3, 1, 1).expand(-1, -1, 30, 40)
    assert torch.allclose(draw(colour), colour[..., :1, :1].expand(-1, -1, 33, 44), atol=1e-6)


def test_what_is_compared_shows_the_same(images):
    aligned = DEFENCE.align(draw(images), images, ImageNoise("random_resizing", NAMES))
    assert aligned.clear is images
    assert (aligned.purified - images).abs().mean() < 0.01 < (draw(images)[..., :61, :90] - images).abs().mean()


def test_the_score_is_the_mean_over_the_copies(images):
    metric, noise = Gradient(), ImageNoise("random_resizing", NAMES)
    copies = [metric(DEFENCE(images, noise)) for _ in range(DEFENCE.samples)]
    assert len(copies) == 8
    assert len({copy[0].item() for copy in copies}) > 4
    seen = DefendedMetric(metric, "random_resizing", DEFENCE, NAMES).purified(images, None)
    assert torch.allclose(seen.scores, torch.stack(copies).mean(dim=0), atol=1e-7)
    assert torch.equal(seen.images, draw(images))
    alone = DefendedMetric(metric, "random_resizing", DEFENCE, NAMES[1:]).purified(images[1:], None)
    assert torch.equal(alone.scores, seen.scores[1:])


def test_an_original_is_resized_like_the_image_beside_it(images):
    seen = DefendedMetric(Ssim(), "random_resizing", DEFENCE, NAMES).purified(images, images)
    assert torch.allclose(seen.scores, torch.ones(2), atol=1e-6)
