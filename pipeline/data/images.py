"""Pixels: decoding, JPEG, and writing."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.cells.distortion import NONE, Distortion
from metric_robustness.pipeline.data.dataset import Photo
from metric_robustness.pipeline.data.stills import still
from metric_robustness.pipeline.data.videos.video import Pixels, Reel
from metric_robustness.pipeline.files import write_atomically

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Batch:
    """Decoded images of equal size, and what could not be decoded."""

    photos: list[Photo]
    images: Images  # (N, 3, H, W): what is attacked
    references: Images | None  # the undistorted originals, for a full-reference metric
    excluded: dict[str, str]  # image -> reason


@lru_cache(maxsize=4)
def load_recent(
    photos: tuple[Photo, ...], crop: int | None, distortion: Distortion = NONE, *, paired: bool = False
) -> Batch:
    """Decodes images of equal size; remembers the last few batches, since the clear pass and the attacks share them."""
    return load_batch(photos, crop, distortion, paired=paired)


def load_batch(
    photos: Sequence[Photo], crop: int | None, distortion: Distortion = NONE, *, paired: bool = False
) -> Batch:
    """Decodes images of equal size.

    Args:
        photos: Which images.
        crop: Side of the central square to cut out.
        distortion: How to distort the images; skips one with an original of its own, since it is distorted already.
        paired: Whether a full-reference metric needs the originals, too.
    """
    good, originals, distorted, excluded = [], [], [], {}
    for photo in photos:
        try:
            pixels = pixels_of(photo, crop)
            if pixels.shape[:2] != (photo.height, photo.width):
                raise ValueError(f"has {pixels.shape[1]}x{pixels.shape[0]} pixels; its header says otherwise")
            original = decode(photo.reference, crop) if photo.reference and paired else pixels
            if original.shape != pixels.shape:
                raise ValueError("its reference has another size than its header says")
        except (OSError, SyntaxError, ValueError) as error:
            excluded[photo.name] = f"cannot be decoded: {str(error).partition(chr(10))[0]}"
            continue
        good.append(photo)
        originals.append(original)
        distorted.append(pixels if photo.reference else distorted_by(distortion, pixels))
    if not good:
        return Batch([], torch.empty(0, 3, photos[0].height, photos[0].width), None, excluded)
    return Batch(good, to_tensor(distorted), to_tensor(originals) if paired else None, excluded)


def distorted_by(distortion: Distortion, pixels: Pixels) -> Pixels:
    """Returns the image after a distortion."""
    return pixels if distortion.quality is None else compress(pixels, distortion.quality)


def pixels_of(photo: Photo, crop: int | None = None) -> Pixels:
    """Reads a photograph, or a frame of a video, as 8-bit RGB.

    Raises:
        ValueError: If it cannot be used.
        OSError: If the file is damaged or truncated.
    """
    if photo.frame is None:
        return decode(photo.path, crop)
    return _cropped(_reel(photo.path).read(photo.frame), crop)


@lru_cache(maxsize=4)
def _reel(path: Path) -> Reel:
    """Returns a video at the frame that was read last, so that reading in order decodes each frame once."""
    return Reel(path)


def decode(path: Path, crop: int | None = None) -> Pixels:
    """Reads an image file as 8-bit sRGB, upright, and cuts out the central square of side `crop`.

    Raises:
        StillError: If it cannot be used.
        FileNotFoundError: If it is not there.
    """
    return _cropped(still.decode(path), crop)


def _cropped(pixels: Pixels, crop: int | None) -> Pixels:
    if crop is None:
        return pixels
    height, width = pixels.shape[:2]
    top, left = max(height - crop, 0) // 2, max(width - crop, 0) // 2
    return pixels[top : top + crop, left : left + crop]


def compress(pixels: Pixels, quality: int) -> Pixels:
    """Returns the image after a JPEG round trip at a quality of 1 to 100, 4:2:0."""
    return np.asarray(Image.open(io.BytesIO(to_jpeg(pixels, quality))))


def to_jpeg(pixels: Pixels, quality: int) -> bytes:
    """Returns the image as a JPEG file of a quality of 1 to 100, 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def to_tensor(pixels: list[Pixels]) -> Images:
    """Returns (N, 3, H, W) float32 images in [0, 1].

    Uses numpy, since the thread that decodes ahead calls this: PyTorch's operators would start a second team of
    processor threads there, after which each parallel operator of the main thread has to wake its own.
    """
    images = np.stack(pixels).transpose(0, 3, 1, 2).astype(np.float32, order="C")
    images /= np.float32(255)
    return torch.from_numpy(images)


def write_png(image: Images, path: Path) -> bytes:
    """Writes one (3, H, W) image on the 8-bit levels as PNG, atomically; returns the file's content."""
    pixels = (image * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    content = buffer.getvalue()
    write_atomically(path, content)
    return content


def load_saved(files: Sequence[Path], clear: Images) -> Images:
    """Returns attacked images from their files.

    Args:
        files: One for each of the clear images.
        clear: The clear images, (N, 3, H, W).

    Raises:
        ValueError: If one has another size than its clear image.
        OSError: If one is damaged.
    """
    pixels = [decode(file) for file in files]
    for file, found in zip(files, pixels, strict=True):
        if found.shape[:2] != clear.shape[-2:]:
            raise ValueError(
                f"{file.name} is {found.shape[1]}x{found.shape[0]}, and its clear image "
                f"{clear.shape[-1]}x{clear.shape[-2]}"
            )
    return to_tensor(pixels).to(clear.device)


def ahead(items: Iterable[Item], work: Callable[[Item], Result], depth: int = 2) -> Iterator[tuple[Item, Result]]:
    """Yields each item with its result, which a thread works out up to `depth` items ahead of the reader."""
    source = iter(items)
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: list[tuple[Item, Future[Result]]] = [(item, pool.submit(work, item)) for item in islice(source, depth)]
        while waiting:
            item, future = waiting.pop(0)
            result = future.result()
            waiting += [(following, pool.submit(work, following)) for following in islice(source, 1)]
            yield item, result
