"""Data sets: which photographs, in which order, in which batches of equal size."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from pipeline import config
from pipeline.catalog import suggestion
from pipeline.errors import BenchError, DataError
from pipeline.files import digest, file_digest

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm"}
VIDEOS = {".y4m", ".mp4", ".mkv", ".avi", ".mov", ".webm"}
SMALLEST = 7  # the window of SSIM
MOST_PIXELS = 2**25  # 8K UHD is 33,177,600
ORIENTATION = 0x0112  # EXIF tag; 5 to 8 turn the image by a quarter


@dataclass(frozen=True)
class Photo:
    """One image file, as it will be decoded."""

    name: str  # path below the data set's folder, with "/"
    path: Path
    height: int
    width: int


@dataclass(frozen=True)
class Dataset:
    """Photographs in file order, and what was left out."""

    name: str
    photos: list[Photo]
    digest: str  # of names, bytes and crop
    asked: int  # how many files there were to read
    crop: int | None = None
    excluded: dict[str, str] = field(default_factory=dict)  # image -> reason

    def batches(self, size_of: Callable[[int, int], int]) -> Iterator[list[Photo]]:
        """Yields batches of equal height and width, so that nothing is padded or resized.

        The batches depend on the data set and on `size_of` alone, so that a resumed run meets the same ones.

        Args:
            size_of: Returns how many images of a height and width make a batch.
        """
        groups: dict[tuple[int, int], list[Photo]] = {}
        for photo in self.photos:
            groups.setdefault((photo.height, photo.width), []).append(photo)
        for (height, width), group in groups.items():
            size = size_of(height, width)
            for start in range(0, len(group), size):
                yield group[start : start + size]


def open_dataset(name: str, limit: int | None = None) -> Dataset:
    """Finds the images of a data set and reads their headers.

    Args:
        name: A data set of benchmark.yml, or the path of a folder or of one image.
        limit: Take this many images, always the same ones, a smaller number being part of a larger one.

    Raises:
        BenchError: If there is no such data set or folder.
        DataError: If it holds no image that can be used.
    """
    known = config.load().datasets
    if name in known:
        title, folder, crop = name, known[name].folder(), known[name].crop
        files = [folder / file for file in known[name].files or ()] or _files(folder, name)
    else:
        folder, crop = Path(name).expanduser(), None
        if not folder.exists():
            raise BenchError(f"no data set or folder is named {name!r}: {suggestion(name, dict(known))}")
        files = _files(folder, name)
        title, folder = folder.resolve().name, folder if folder.is_dir() else folder.parent
    chosen = _limited({_name(file.relative_to(folder)): file for file in files}, limit)
    photos, excluded = [], {}
    for image, file in chosen.items():
        try:
            photos.append(Photo(image, file, *_size(file, crop)))
        except _UnusableError as reason:
            excluded[image] = str(reason)
    if not photos:
        first = next(iter(excluded.items()), None)
        why = f"{first[0]}: {first[1]}" if first else "the folder is empty"
        raise DataError(f"{name} holds no image that can be used ({why}): give a folder with PNG or JPEG files")
    lines = [f"{photo.name} {file_digest(photo.path)}" for photo in photos]
    return Dataset(
        title, photos, digest("\n".join([f"crop {crop}", *lines]).encode())[:16], len(chosen), crop, excluded
    )


def _files(folder: Path, name: str) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise BenchError(f"data set {name} must lie in {folder}: put it there, or set METRIC_ROBUSTNESS_DATA")
    found = (path for path in sorted(folder.rglob("*")) if not path.name.startswith(".") and not path.is_dir())
    return [path for path in found if path.suffix.lower() in SUFFIXES | VIDEOS]  # links to nowhere are told later


def _name(file: Path) -> str:
    """Returns a path as text; bytes that are no UTF-8, which file systems allow, are written out in hexadecimal."""
    return os.fsencode(file.as_posix()).decode(errors="backslashreplace")


def _limited(files: dict[str, Path], limit: int | None) -> dict[str, Path]:
    """Keeps the `limit` names whose hashes are smallest: no bias from the file order, and nested."""
    kept = set(sorted(files, key=lambda name: digest(name.encode()))[:limit])
    return {name: file for name, file in files.items() if name in kept}


class _UnusableError(Exception):
    """Why a file is left out."""


def _size(file: Path, crop: int | None) -> tuple[int, int]:
    """Returns height and width after EXIF rotation and crop, from the header alone."""
    if file.suffix.lower() in VIDEOS:
        raise _UnusableError("a video, not an image: extract its frames as PNG")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                width, height = image.size
                frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: a photo with a preview
                if image.getexif().get(ORIENTATION, 1) in {5, 6, 7, 8}:
                    width, height = height, width
    except FileNotFoundError:
        raise _UnusableError("the file is missing") from None
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise _UnusableError(f"cannot be read: {_short(error, file)}") from None
    if frames > 1:
        raise _UnusableError(f"holds {frames} frames: extract them as PNG")
    if width * height > MOST_PIXELS:
        raise _UnusableError(f"{width}x{height} is over the limit of {MOST_PIXELS:,} pixels: cut or scale it")
    if crop is not None:
        width, height = min(width, crop), min(height, crop)
    if min(width, height) < SMALLEST:
        raise _UnusableError(f"{width}x{height} is smaller than {SMALLEST}x{SMALLEST} pixels")
    return height, width


def _short(error: Exception, file: Path) -> str:
    """Returns an error's first line without the path, which differs between machines."""
    return str(error).partition("\n")[0].replace(repr(str(file)), "it").replace(str(file), "it")
