"""Purifications without a network, each compared with another way to compute the same."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from metric_robustness.defences.base import Defence
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.engine.metric.build import build_defences
from metric_robustness.pipeline.engine.metric.objective import ImageNoise

RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@pytest.fixture(scope="module")
def photographs() -> Tensor:
    """Returns two photographs of odd sides, (2, 3, 91, 117)."""
    crops = [image[60:151, 90:207] for image in (skimage.data.astronaut(), skimage.data.coffee())]
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255


def variants(name: str) -> list[Defence]:
    return list(build_defences(lookup.find("defences", name)).values())


def noise(name: str, *images: str) -> ImageNoise:
    return ImageNoise(name, list(images) or ["first.png", "second.png"])


def apply(defence: Defence, images: Tensor) -> Tensor:
    return defence(images, noise("any"))


def by_pillow(channel: Tensor, width: int, height: int, mode: str) -> Tensor:
    resized = Image.fromarray(channel.numpy(), "F").resize((width, height), RESAMPLING[mode])
    return torch.from_numpy(np.asarray(resized).copy())


@pytest.mark.parametrize("defence", variants("gaussian_blur"), ids=lambda defence: defence.kernel)
def test_the_blur_has_the_sigma_of_the_formula_and_reflects_the_border(defence: Defence, photographs: Tensor) -> None:
    reach = defence.kernel // 2
    sigma = 0.3 * (reach - 1) + 0.8
    taps = np.array([math.exp(-(place**2) / (2 * sigma**2)) for place in range(-reach, reach + 1)])
    taps /= taps.sum()
    wanted = photographs.double().numpy()
    for axis in (2, 3):
        wanted = scipy.ndimage.correlate1d(wanted, taps, axis=axis, mode="mirror")
    assert np.abs(apply(defence, photographs).numpy() - wanted).max() < 1e-6


@pytest.mark.parametrize("defence", variants("median_blur"), ids=lambda defence: defence.kernel)
def test_the_median_is_that_of_the_window_and_reflects_the_border(defence: Defence, photographs: Tensor) -> None:
    size = (1, 1, defence.kernel, defence.kernel)
    wanted = scipy.ndimage.median_filter(photographs.numpy(), size=size, mode="mirror")
    assert np.array_equal(apply(defence, photographs).numpy(), wanted)
    with_gradient = apply(defence, photographs.clone().requires_grad_())
    assert np.array_equal(with_gradient.detach().numpy(), wanted)


def test_unsharp_adds_what_a_blur_of_sigma_1_takes_away(photographs: Tensor) -> None:
    taps = np.array([math.exp(-0.5), 1, math.exp(-0.5)])
    blurred = photographs.double().numpy()
    for axis in (2, 3):
        blurred = scipy.ndimage.correlate1d(blurred, taps / taps.sum(), axis=axis, mode="mirror")
    wanted = np.clip(2 * photographs.double().numpy() - blurred, 0, 1)
    (defence,) = variants("unsharp")
    assert np.abs(apply(defence, photographs).numpy() - wanted).max() < 1e-5


@pytest.mark.parametrize("defence", variants("resize"), ids=lambda defence: defence.scale)
def test_resizing_is_bilinear_with_antialiasing(defence: Defence, photographs: Tensor) -> None:
    small = apply(defence, photographs)
    height, width = (round(side * defence.scale) for side in (91, 117))
    assert small.shape == (2, 3, height, width)
    for image, wanted in zip(small.flatten(0, 1), photographs.flatten(0, 1), strict=True):
        torch.testing.assert_close(image, by_pillow(wanted, width, height, "bilinear"), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_upscaling_goes_to_half_the_size_and_back(mode: str, photographs: Tensor) -> None:
    (defence,) = variants(f"upscale_{mode}")
    found = apply(defence, photographs)
    for image, clear in zip(found.flatten(0, 1), photographs.flatten(0, 1), strict=True):
        small = by_pillow(clear, 58, 46, mode)
        torch.testing.assert_close(image, by_pillow(small, 117, 91, mode).clamp(0, 1), atol=1e-5, rtol=0)


def test_nearest_upscaling_picks_the_pixel_whose_centre_is_nearest(photographs: Tensor) -> None:
    (defence,) = variants("upscale_nearest")

    def picks(now: int, before: int) -> list[int]:
        return [math.floor((place + 0.5) * before / now) for place in range(now)]

    rows, columns = ([picks(small, side)[i] for i in picks(side, small)] for side, small in ((91, 46), (117, 58)))
    assert torch.equal(apply(defence, photographs), photographs[:, :, rows][..., columns])


def test_even_sides_become_blocks_of_four_equal_pixels() -> None:
    images = torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    blocks = apply(variants("upscale_nearest")[0], images).unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    assert torch.equal(blocks, blocks[..., :1].expand_as(blocks))


def test_a_flip_is_undone_exactly(photographs: Tensor) -> None:
    (defence,) = variants("flip")
    flipped = apply(defence, photographs)
    assert torch.equal(flipped[..., 0, 0], photographs[..., -1, -1])
    found = defence.align(flipped, photographs, noise("any"))
    assert torch.equal(found.purified, photographs)
    assert torch.equal(found.clear, photographs)


def test_a_crop_is_a_part_of_the_image_at_a_place_of_its_own(photographs: Tensor) -> None:
    (defence,) = variants("crop")
    places = set()
    for draw in range(40):
        names = [f"{draw}.png", f"{draw}'.png"]
        cropped = defence(photographs, noise("crop", *names))
        assert cropped.shape == (2, 3, round(91 * 256 / 299), round(117 * 256 / 299))
        for part, whole in zip(cropped, photographs, strict=True):
            windows = whole.unfold(1, part.shape[1], 1).unfold(2, part.shape[2], 1)
            (place,) = (windows == part[:, None, None]).all(dim=0).flatten(2).all(dim=2).nonzero().tolist()
            places.add(tuple(place))
        found = defence.align(cropped, photographs, noise("crop", *names))
        assert torch.equal(found.purified, found.clear)
    assert len(places) > 60
    assert {row for row, _ in places} == set(range(91 - 78 + 1))


def test_of_299_pixels_256_are_left() -> None:
    assert apply(variants("crop")[0], torch.zeros(2, 3, 299, 299)).shape == (2, 3, 256, 256)


@pytest.mark.parametrize("defence", variants("rotate"), ids=lambda defence: defence.degrees)
def test_a_rotation_is_bilinear_about_the_centre(defence: Defence, photographs: Tensor) -> None:
    rotated = apply(defence, photographs)
    angles = defence.degrees * noise("any").uniform(photographs[:, 0, 0, 0])
    for image, clear, angle in zip(rotated, photographs, angles.tolist(), strict=True):
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        turn, centre = np.array([[cosine, sine], [-sine, cosine]]), np.array([45.0, 58.0])
        wanted = np.stack(
            [
                scipy.ndimage.affine_transform(
                    channel.double().numpy(), turn, offset=centre - turn @ centre, order=1, mode="grid-constant"
                )
                for channel in clear
            ]
        )
        assert np.abs(image.numpy() - wanted).max() < 1e-3


@pytest.mark.parametrize("defence", variants("rotate"), ids=lambda defence: defence.degrees)
def test_a_rotation_is_turned_back_and_nothing_black_is_compared(defence: Defence) -> None:
    rows, columns = torch.meshgrid(torch.linspace(0.3, 0.9, 120), torch.linspace(0.2, 0.8, 160), indexing="ij")
    clear = torch.stack([rows, columns, 0.3 + 0.4 * rows * columns]).expand(12, 3, 120, 160).contiguous()
    names = [f"{index}.png" for index in range(12)]
    found = defence.align(defence(clear, noise("any", *names)), clear, noise("any", *names))
    assert (found.purified - found.clear).abs().max() < 1e-3  # smooth, so that two interpolations leave it as it was
    assert found.purified.shape[2] > 0.6 * 120
    assert found.purified.shape == found.clear.shape


def test_rotations_lie_on_both_sides_and_within_the_bound() -> None:
    defence = variants("rotate")[0]
    names = [f"{index}.png" for index in range(200)]
    angles = defence._angles(torch.zeros(200, 3, 8, 8), noise("any", *names))
    assert angles.abs().max() <= 5
    assert angles.min() < -4.5
    assert angles.max() > 4.5


@pytest.mark.parametrize("defence", variants("jpeg"), ids=lambda defence: defence.quality)
def test_jpeg_is_libjpegs(defence: Defence, photographs: Tensor) -> None:
    for found, image in zip(apply(defence, photographs), photographs, strict=True):
        buffer = io.BytesIO()
        pixels = (255 * image).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=defence.quality, subsampling=2)  # 4:2:0
        wanted = torch.from_numpy(np.asarray(Image.open(buffer)).copy()).permute(2, 0, 1)
        assert torch.equal((255 * found).round().byte(), wanted)


@pytest.mark.parametrize("quality", [10, 30, 50, 70, 90])
def test_differentiable_jpeg_is_close_to_the_real_one(quality: int, photographs: Tensor) -> None:
    (smooth,) = (defence for defence in variants("diffjpeg") if defence.quality == quality)
    (real,) = (defence for defence in variants("jpeg") if defence.quality == quality)
    error = (apply(smooth, photographs) - apply(real, photographs)).square().mean()
    change = (photographs - apply(real, photographs)).square().mean()
    assert -10 * error.log10() > 35
    assert error < change / 3


@pytest.mark.parametrize("defence", variants("color_quantization"), ids=lambda defence: defence.levels)
def test_colours_are_rounded_to_the_nearest_of_so_many_levels(defence: Defence) -> None:
    values = torch.arange(256).div(255).reshape(1, 1, 16, 16).expand(1, 3, 16, 16).contiguous()
    found = apply(defence, values)
    levels = torch.linspace(0, 1, defence.levels)
    nearest = (values.unsqueeze(-1) - levels).abs().min(dim=-1).values
    torch.testing.assert_close((found - values).abs(), nearest, atol=1e-6, rtol=0)
    assert len(found.unique()) == defence.levels


@pytest.mark.parametrize("defence", variants("random_noise"), ids=lambda defence: defence.sigma)
def test_noise_is_gaussian_of_its_sigma_and_of_the_image_alone(defence: Defence) -> None:
    images = torch.full((2, 3, 120, 120), 0.5)
    added = apply(defence, images) - images
    assert added.mean().abs() < 0.02 * defence.sigma
    assert added.std().item() == pytest.approx(defence.sigma, rel=0.02)
    assert scipy.stats.kstest(added.flatten()[::50], "norm", (0, defence.sigma)).pvalue > 1e-3
    alone = defence(images[:1], noise("any", "second.png")) - images[:1]
    assert torch.equal(alone[0], added[1])
    assert abs(torch.corrcoef(added.flatten(1))[0, 1].item()) < 0.02


def test_noise_is_clipped() -> None:
    strongest = variants("random_noise")[-1]
    found = apply(strongest, torch.stack([torch.zeros(3, 60, 60), torch.ones(3, 60, 60)]))
    assert found.min() == 0
    assert found.max() == 1
    assert (found[0] == 0).float().mean().item() == pytest.approx(0.5, abs=0.02)


SMOOTH = ("resize", "upscale_bicubic", "gaussian_blur", "rotate", "unsharp", "median_blur")


@pytest.mark.parametrize("name", SMOOTH)
def test_the_gradient_is_that_of_finite_differences(name: str) -> None:
    generator = torch.Generator().manual_seed(5)
    images = 0.2 + 0.6 * torch.rand(2, 3, 17, 22, generator=generator, dtype=torch.float64)
    defence = variants(name)[0]

    def value(images: Tensor) -> Tensor:
        purified = defence(images, noise("any"))
        return (purified * torch.linspace(-1, 1, purified.numel(), dtype=torch.float64).view_as(purified)).sum()

    (gradient,) = torch.autograd.grad(value(images.requires_grad_()), images)
    direction = torch.randn(images.shape, generator=generator, dtype=torch.float64)
    slope = (value(images + 1e-6 * direction) - value(images - 1e-6 * direction)) / 2e-6
    assert slope.item() == pytest.approx((gradient * direction).sum().item(), rel=1e-3)
