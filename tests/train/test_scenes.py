"""Scenes: made of parts of photographs, and seeded."""

from __future__ import annotations

import numpy as np
import pytest

from metric_robustness.pipeline.data.videos.video import Pixels
from metric_robustness.pipeline.train.photographs import Photographs
from metric_robustness.pipeline.train.scenes import scene


def made(few: Photographs, seed: int, side: int = 96) -> Pixels:
    return scene(few.training, side, np.random.default_rng(seed))


@pytest.mark.parametrize("side", [64, 97])
def test_a_scene_is_an_image_of_the_side(few: Photographs, side: int) -> None:
    pixels = made(few, 0, side)
    assert (pixels.shape, pixels.dtype) == ((side, side, 3), np.uint8)
    assert pixels.std() > 5


def test_a_seed_fixes_the_scene_and_another_makes_another(few: Photographs) -> None:
    assert np.array_equal(made(few, 3), made(few, 3))
    assert np.abs(made(few, 3).astype(int) - made(few, 4)).mean() > 10


def test_no_scene_shows_what_is_not_in_the_photographs() -> None:
    grey = {"grey": np.full((64, 80, 3), 90, np.uint8)}
    pixels = scene(grey, 64, np.random.default_rng(0)).astype(float)
    assert abs(pixels.mean() - 90) < 12  # shades and grain
    assert np.abs(pixels[..., 0] - pixels[..., 1]).mean() < 5  # grain alone has colour
