"""Seeded distortions of a photograph: of a strength from 0 (hardly visible) to 1 (strong), or to a wanted PSNR."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from torch.nn.functional import conv2d, pad
from torchvision.transforms.functional import gaussian_blur

from metric_robustness.pipeline.data.videos.video import Pixels

Distortion: TypeAlias = Callable[[Pixels, float, np.random.Generator], Pixels]

REACH = (-0.6, 1.6)  # range of strengths in which `distort_to` searches
HALVINGS = 8  # of that range, down to a hundredth of a strength


def distort(pixels: Pixels, kind: str, strength: float, random: np.random.Generator) -> Pixels:
    """Returns a distorted copy of an image.

    Args:
        pixels: (H, W, 3), 8 bits.
        kind: One of `KINDS`.
        strength: From 0 to 1, or a little beyond.
        random: Draws noise, directions and tints; the same state gives the same image.
    """
    return KINDS[kind](pixels, strength, random)


def distort_to(pixels: Pixels, kind: str, wanted: float, random: np.random.Generator) -> Pixels:
    """Returns the copy of an image whose peak signal-to-noise ratio is about the wanted one.

    Args:
        pixels: (H, W, 3), 8 bits.
        kind: One of `KINDS`.
        wanted: In dB; if no strength reaches it, the nearest one is taken.
        random: As in `distort`.
    """
    seed = int(random.integers(2**63))  # the same noise at every strength
    weak, strong = REACH
    for _ in range(HALVINGS):
        middle = (weak + strong) / 2
        if ratio(distort(pixels, kind, middle, np.random.default_rng(seed)), pixels) > wanted:
            weak = middle
        else:
            strong = middle
    return distort(pixels, kind, strong, np.random.default_rng(seed))


def ratio(image: Pixels, original: Pixels) -> float:
    """Returns the peak signal-to-noise ratio in dB, infinite for the original itself."""
    error = float(np.square(image.astype(np.float64) - original).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def between(weak: float, strong: float, strength: float) -> float:
    """Returns the setting of a strength, in equal ratios from the weak to the strong one."""
    return float(weak * (strong / weak) ** strength)


def jpeg(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    """Compresses with JPEG at a quality of 90 down to 4."""
    return _coded(pixels, "JPEG", quality=min(max(round(between(90, 4, strength)), 1), 98))


def jpeg2000(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    """Compresses with JPEG 2000 by a factor of 6 to 150."""
    return _coded(pixels, "JPEG2000", quality_mode="rates", quality_layers=[max(between(6, 150, strength), 1.5)])


def webp(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    """Compresses with WebP at a quality of 90 down to 1."""
    return _coded(pixels, "WEBP", quality=min(max(round(between(91, 2, strength) - 1), 0), 98))


def blur(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    """Blurs with a Gaussian of 0.5 to 5 pixels."""
    sigma = between(0.5, 5, strength)
    return _pixels(gaussian_blur(_tensor(pixels), 2 * math.ceil(3 * sigma) + 1, sigma))


def motion_blur(pixels: Pixels, strength: float, random: np.random.Generator) -> Pixels:
    """Blurs along a line of 2 to 25 pixels, in a direction drawn at random."""
    half, angle = between(2, 25, strength) / 2, random.uniform(0, math.pi)
    reach = math.ceil(half)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    rows, columns = torch.meshgrid(offsets, offsets, indexing="ij")
    along = columns * math.cos(angle) + rows * math.sin(angle)
    across = rows * math.cos(angle) - columns * math.sin(angle)
    kernel = (1 - across.abs()).clamp(min=0) * (half + 0.5 - along.abs()).clamp(0, 1)
    kernel = (kernel / kernel.sum()).expand(3, 1, -1, -1)
    return _pixels(conv2d(pad(_tensor(pixels)[None], [reach] * 4, mode="reflect"), kernel, groups=3)[0])


def white_noise(pixels: Pixels, strength: float, random: np.random.Generator) -> Pixels:
    """Adds Gaussian noise of 3 to 60 levels."""
    return rounded(pixels + random.normal(0, between(3, 60, strength), pixels.shape))


def poisson_noise(pixels: Pixels, strength: float, random: np.random.Generator) -> Pixels:
    """Adds photon noise: white is 2000 photons down to 6."""
    white = between(2000, 6, strength)
    return rounded(random.poisson(pixels / 255 * white) / white * 255)


def contrast(pixels: Pixels, strength: float, random: np.random.Generator) -> Pixels:
    """Lowers the contrast to 0.95 down to 0.15, or raises it to 1.05 up to 3.5 times."""
    lower = random.random() < 0.5
    factor = math.exp(-between(0.05, 1.9, strength) if lower else between(0.05, 1.25, strength))
    mean = pixels.mean()
    return rounded(mean + factor * (pixels - mean))


def colour(pixels: Pixels, strength: float, random: np.random.Generator) -> Pixels:
    """Lowers or raises the saturation, and shifts the colour balance by 2 to 60 levels."""
    less = random.random() < 0.5
    saturation = max(1 - 0.95 * strength, 0) if less else max(1 + 2 * strength, 1)
    direction = random.normal(size=3)
    direction -= direction.mean()  # the brightness stays
    tint = direction / np.linalg.norm(direction) * between(2, 60, strength)
    return rounded(np.asarray(ImageEnhance.Color(Image.fromarray(pixels)).enhance(saturation)) + tint)


def downscale(pixels: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    """Scales down by a factor of 1.3 to 8 and up again."""
    height, width = pixels.shape[:2]
    factor = max(between(1.3, 8, strength), 1.02)
    small = (max(round(width / factor), 1), max(round(height / factor), 1))
    reduced = Image.fromarray(pixels).resize(small, Image.Resampling.BICUBIC)
    return np.asarray(reduced.resize((width, height), Image.Resampling.BICUBIC))


KINDS: dict[str, Distortion] = {
    kind.__name__: kind
    for kind in (*(jpeg, jpeg2000, webp, blur, motion_blur, white_noise, poisson_noise, contrast, colour, downscale),)
}
# How often each is drawn, relative to the others. Distortions that are common in studies of quality come more often.
SHARES = {"jpeg": 3, "blur": 3, "white_noise": 3, "jpeg2000": 2, "contrast": 0.75, "colour": 0.75}


def draw_kind(random: np.random.Generator) -> str:
    """Returns a kind of distortion, drawn by its share, which is 1 if `SHARES` does not name it."""
    shares = np.array([SHARES.get(kind, 1) for kind in KINDS])
    return str(random.choice(list(KINDS), p=shares / shares.sum()))


def _coded(pixels: Pixels, form: str, **options: Any) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _tensor(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float()


def _pixels(image: torch.Tensor) -> Pixels:
    return rounded(image.permute(1, 2, 0).numpy())


def rounded(values: NDArray[Any]) -> Pixels:
    """Returns values rounded to 8 bits and clipped to 0 to 255."""
    return values.round().clip(0, 255).astype(np.uint8)
