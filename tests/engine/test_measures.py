"""The distances of attacked images are scikit-image's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from metric_robustness.pipeline.engine.measures.distances import measures, measures_on_tensors

BOTH = pytest.mark.parametrize("measured", [measures, measures_on_tensors])  # on the CPU, on a GPU


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
@BOTH
def test_psnr_ssim_mse_and_linf_are_those_of_scikit_image(measured, height, width, change):
    clear, attacked = pair(height, width, change)
    found = measured(tensor(attacked), tensor(clear))
    for index, (x, y) in enumerate(zip(clear, attacked, strict=True)):
        expected = {
            "psnr": peak_signal_noise_ratio(x, y, data_range=255),
            "ssim": structural_similarity(x, y, channel_axis=2, data_range=255),
            "mse": mean_squared_error(x / 255, y / 255),
            "linf": np.abs(x.astype(int) - y).max() / 255,
        }
        assert {name: values[index].item() for name, values in found.items()} == pytest.approx(expected, abs=1e-6)


@BOTH
def test_equal_images_have_infinite_psnr_and_ssim_1(measured):
    clear, _ = pair(16, 16, 0)
    found = measured(tensor(clear), tensor(clear))
    assert found["psnr"].tolist() == [float("inf")] * 3
    assert found["ssim"].tolist() == pytest.approx([1, 1, 1], abs=1e-12)
    assert found["mse"].tolist() == found["linf"].tolist() == [0, 0, 0]


@BOTH
def test_ssim_of_flat_images_is_finite(measured):
    flat = torch.full((1, 3, 9, 9), 128 / 255)
    assert measured(flat, flat)["ssim"].item() == pytest.approx(1)
    assert measured(flat, flat + 26 / 255)["ssim"].isfinite().all()


@pytest.mark.parametrize("low", [0, 250, 254])
@BOTH
def test_ssim_is_scikit_images_to_the_ninth_digit_also_where_the_sums_are_largest(measured, low):
    random = np.random.default_rng(low)
    clear, attacked = random.integers(low, 256, (2, 1, 31, 40, 3)).astype(np.uint8)
    clear[:, :20, :20] = attacked[:, :20, :20] = 255
    expected = structural_similarity(clear[0], attacked[0], channel_axis=2, data_range=255)
    assert measured(tensor(attacked), tensor(clear))["ssim"].item() == pytest.approx(expected, rel=1e-10)


@BOTH
def test_an_image_has_the_same_distances_in_any_batch(measured):
    clear, attacked = pair(20, 23, 30)
    together = measured(tensor(attacked), tensor(clear))
    for index in range(3):
        alone = measured(tensor(attacked)[[index]], tensor(clear)[[index]])
        assert {name: values[index].item() for name, values in together.items()} == pytest.approx(
            {name: values.item() for name, values in alone.items()}, rel=1e-12
        )


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_memory_layout_change_nothing(threads, monkeypatch):
    clear, attacked = (tensor(images) for images in pair(20, 23, 30))
    expected = measures(attacked, clear)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    turned = [images.contiguous(memory_format=torch.channels_last) for images in (attacked, clear)]
    found = measures(*turned)
    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in expected.items()
    }


def test_images_between_the_levels_are_rounded_for_ssim_alone():
    clear, attacked = pair(20, 23, 30)
    between = (tensor(attacked) + torch.rand(3, 3, 20, 23) * 0.4 / 255).clamp(0, 1)
    on_levels, found = measures(tensor(attacked), tensor(clear)), measures(between, tensor(clear))
    assert found["ssim"].tolist() == on_levels["ssim"].tolist()
    assert (found["mse"] != on_levels["mse"]).all()
    for name, values in measures_on_tensors(between, tensor(clear)).items():
        torch.testing.assert_close(values, found[name])


def test_a_value_that_is_no_number_is_not_hidden():
    clear, attacked = pair(20, 23, 30)
    broken = tensor(attacked)
    broken[1, 2, 3, 4] = torch.nan
    assert measures(broken, tensor(clear))["mse"].isnan().tolist() == [False, True, False]
