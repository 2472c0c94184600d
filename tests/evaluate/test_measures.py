"""The distances of attacked images are scikit-image's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from pipeline.evaluate.measures import measures, ssim


def pair(height, width, change, count=3):
    random = np.random.default_rng(height * width)
    ramp = np.linspace(0, 255, width)[None, :, None] * np.ones((count, height, 1, 3))
    clear = (0.7 * ramp + random.integers(0, 70, (count, height, width, 3))).round()
    attacked = (clear + random.integers(-change, change + 1, clear.shape)).clip(0, 255)
    return clear.astype(np.uint8), attacked.astype(np.uint8)


def tensor(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize(("height", "width"), [(7, 7), (8, 31), (33, 47), (64, 40)])
@pytest.mark.parametrize("change", [1, 10, 200])
def test_psnr_ssim_mse_and_linf_are_those_of_scikit_image(height, width, change):
    clear, attacked = pair(height, width, change)
    found = measures(tensor(attacked), tensor(clear))
    for index, (x, y) in enumerate(zip(clear, attacked, strict=True)):
        expected = {
            "psnr": peak_signal_noise_ratio(x, y, data_range=255),
            "ssim": structural_similarity(x, y, channel_axis=2, data_range=255),
            "mse": mean_squared_error(x / 255, y / 255),
            "linf": np.abs(x.astype(int) - y).max() / 255,
        }
        assert {name: values[index].item() for name, values in found.items()} == pytest.approx(expected, abs=1e-6)


def test_equal_images_have_infinite_psnr_and_ssim_1():
    clear, _ = pair(16, 16, 0)
    found = measures(tensor(clear), tensor(clear))
    assert found["psnr"].tolist() == [float("inf")] * 3
    assert found["ssim"].tolist() == pytest.approx([1, 1, 1], abs=1e-12)
    assert found["mse"].tolist() == found["linf"].tolist() == [0, 0, 0]


def test_ssim_of_flat_images_is_finite():
    flat = torch.full((1, 3, 9, 9), 128 / 255)
    assert ssim(flat, flat).item() == pytest.approx(1)
    assert ssim(flat, flat + 26 / 255).isfinite().all()


@pytest.mark.parametrize("low", [0, 250, 254])
def test_ssim_is_scikit_images_to_the_ninth_digit_also_where_the_sums_are_largest(low):
    random = np.random.default_rng(low)
    clear, attacked = random.integers(low, 256, (2, 1, 31, 40, 3)).astype(np.uint8)
    clear[:, :20, :20] = attacked[:, :20, :20] = 255
    expected = structural_similarity(clear[0], attacked[0], channel_axis=2, data_range=255)
    assert ssim(tensor(attacked), tensor(clear)).item() == pytest.approx(expected, rel=1e-10)


def test_an_image_has_the_same_distances_in_any_batch():
    clear, attacked = pair(20, 23, 30)
    together = measures(tensor(attacked), tensor(clear))
    for index in range(3):
        alone = measures(tensor(attacked)[[index]], tensor(clear)[[index]])
        assert {name: values[index].item() for name, values in together.items()} == pytest.approx(
            {name: values.item() for name, values in alone.items()}, rel=1e-12
        )
