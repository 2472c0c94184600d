"""Photographs, distorted as everybody would call worse."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.data.images import to_tensor
from metric_robustness.pipeline.data.videos.video import Pixels

LEVELS = {"blur": (1, 2, 4), "noise": (8, 20, 45), "JPEG": (40, 15, 5)}  # sigma in pixels, sigma of 255, quality


def flattened(images: Images) -> Images:
    """Returns images with less contrast, which are not equal to the references."""
    return (images * 0.9 + 0.05).clamp(0, 1)


def distorted(images: Images, kind: str, level: int) -> Images:
    """Returns images, or the frames of clips, each distorted by itself."""
    clear = [
        np.asarray((image * 255).round().byte().permute(1, 2, 0).cpu())
        for image in images.reshape(-1, *images.shape[-3:])
    ]
    return to_tensor([distort(pixels, kind, level) for pixels in clear]).reshape(images.shape).to(images.device)


def distort(pixels: Pixels, kind: str, level: int) -> Pixels:
    """Returns an image, (H, W, 3) of 8 bits, blurred, with noise or compressed as JPEG.

    Args:
        pixels: The image.
        kind: blur, noise, or JPEG.
        level: The standard deviation of the blur in pixels, that of the noise in 1/255, or the JPEG quality.
    """
    image = Image.fromarray(pixels)
    if kind == "blur":
        return np.asarray(image.filter(ImageFilter.GaussianBlur(level)))
    if kind == "noise":
        noise = np.random.default_rng(0).normal(0, level, pixels.shape)
        return (pixels + noise).round().clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=level)
    return np.asarray(Image.open(buffer))
