"""A data set as a run reads it: which images, in which order, in which batches of equal size."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from metric_robustness.pipeline import config
from metric_robustness.pipeline.data import ladder, pins
from metric_robustness.pipeline.data.listing import VIDEOS, as_text
from metric_robustness.pipeline.data.numbered import Numbered
from metric_robustness.pipeline.data.opinions import csv_of, read_opinions
from metric_robustness.pipeline.data.stills.still import MOST_PIXELS, Still, StillError, too_large
from metric_robustness.pipeline.data.stills.still import examine as examine_still
from metric_robustness.pipeline.data.units import Members, Unit, chosen, members_of, require_all, units_below, units_of
from metric_robustness.pipeline.data.videos.colours import VideoError
from metric_robustness.pipeline.data.videos.video import Video, examine
from metric_robustness.pipeline.errors import BenchError, DataError, suggestion
from metric_robustness.pipeline.files import digest, file_digest, file_name

LONGEST_TITLE = 100  # bytes of a data set's name: it becomes a part of names of files
SMALLEST = 7  # the window of SSIM
KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


@dataclass(frozen=True)
class Photo:
    """One image file, or one frame of a video, as it will be decoded."""

    name: str  # path below the data set's folder, with "/"; a frame adds its number, as in clip.y4m#0007
    path: Path
    height: int
    width: int
    clip: str = ""  # the video or folder that it is a frame of; empty for a photograph
    frame: int | None = None  # its place in the video file, from 0
    reference: Path | None = None  # the original, if the image is a distorted version of one
    sha256: str = ""  # of the file
    reference_sha256: str = ""  # of the original's
    rung: ladder.Rung | None = None  # if the image is of a ladder


@dataclass(frozen=True)
class Dataset:
    """Images in file order, and the excluded ones."""

    name: str
    photos: list[Photo]
    digest: str  # of names, bytes and crop
    asked: int  # how many images there were to read
    crop: int | None = None
    excluded: dict[str, str] = field(default_factory=dict)  # image, or whole clip -> reason
    asked_clips: int = 0  # how many clips there were to read
    opinions: dict[str, float] = field(default_factory=dict)  # image -> mean opinion score, higher is better
    remarks: dict[str, int] = field(default_factory=dict)  # what else happened to files -> to how many
    unread: dict[str, str] = field(default_factory=dict)  # files that are no images, by suffix -> how many, and names

    @property
    def passed_over(self) -> dict[str, str]:
        """Returns everything in the data set's folder that gives no row, each with the reason."""
        return self.excluded | self.unread

    @property
    def distorted(self) -> bool:
        """Tells whether the images are distorted versions of originals, so that a run need not distort them."""
        return any(photo.reference for photo in self.photos)

    @property
    def clips(self) -> dict[str, list[Photo]]:
        """Returns the frames of each clip, in order; photographs are in none."""
        found: dict[str, list[Photo]] = {}
        for photo in self.photos:
            if photo.clip:
                found.setdefault(photo.clip, []).append(photo)
        return found

    def part(self, names: Iterable[str]) -> Dataset:
        """Returns some of the images as a data set with a digest of its own."""
        wanted = set(names)
        photos = [photo for photo in self.photos if photo.name in wanted]
        rates = {photo.name: self.opinions[photo.name] for photo in photos if photo.name in self.opinions}
        return replace(self, photos=photos, opinions=rates, digest=_digest(photos, rates, self.crop))

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


def open_dataset(name: str, limit: int | None = None, frames: int | None = None) -> Dataset:
    """Finds the images of a data set and reads their headers; videos are decoded once, to count their frames.

    Args:
        name: A data set of benchmark.yml, the path of a folder or of one file, iqa:CSV, images that people rated, or
            ladder:CSV, encodings of the same photographs.
        limit: Take this many photographs or clips, always the same; a larger number takes those of a smaller one, too.
        frames: Take this many frames of each video, from its beginning.

    Raises:
        BenchError: If there is no such data set or folder.
        DataError: If it holds no image that can be used, or not as many files as it must.
    """
    known = config.load().datasets
    listed: dict[str, Numbered] = {}
    rungs: dict[str, ladder.Rung] = {}
    crop: int | None = None
    pinned: dict[str, str] = {}
    if rated := csv_of(name):
        listed = read_opinions(rated)
        members, title = members_of({image: each.image for image, each in listed.items()}), as_text(Path(rated.stem))
    elif encoded := ladder.csv_of(name):
        listed, limit = ladder.read_ladder(encoded, limit), None
        rungs = ladder.rungs_of(encoded, listed)
        members, title = members_of({image: each.image for image, each in listed.items()}), as_text(Path(encoded.stem))
    elif name in known:
        about = known[name]
        members, title, crop, pinned = units_of(name, about), name, about.crop, pins.read(name)
        require_all(name, about, members.units)
        limit = min(limit or len(members.units), about.most or len(members.units))
    else:
        members, title = _members_at(name, known), as_text(Path(Path(name).expanduser().resolve().name))
    title = file_name(title, LONGEST_TITLE)
    reader = _Reader(crop, frames, pinned, {image: each.reference for image, each in listed.items()})
    _read(reader, name, members, limit)
    reader.photos = [replace(photo, rung=rungs.get(photo.name)) for photo in reader.photos]
    rates = {photo.name: listed[photo.name].value for photo in reader.photos if photo.name in listed.keys() - rungs}
    return _dataset(reader, title, rates)


def dataset_of(
    title: str, members: Members, references: Mapping[str, Path] | None = None, limit: int | None = None
) -> Dataset:
    """Returns the data set of some files, with its digest as `open_dataset` would make it.

    Args:
        title: Its name.
        members: The images and videos, in file order, and what else lies beside them.
        references: The originals of all images, by the images' names; None where the images are no distorted ones.
        limit: As `open_dataset` takes it.

    Raises:
        DataError: If no image can be used.
    """
    reader = _Reader(None, None, {}, dict(references or {}))
    _read(reader, title, members, limit)
    return _dataset(reader, title, {})


def _read(reader: _Reader, name: str, members: Members, limit: int | None) -> None:
    """Reads the headers of so many units, and notes what lies beside them.

    Raises:
        DataError: If none holds an image that can be used.
    """
    reader.excluded |= members.excluded
    reader.unread |= members.unread
    for unit in chosen(members.units, limit):
        reader.read(unit)
    if not reader.photos:
        first = next(iter((reader.excluded | reader.unread).items()), None)
        why = f"{first[0]}: {first[1]}" if first else "the folder is empty"
        raise DataError(f"{name} holds no image that can be used ({why}): give a folder with PNG or JPEG files")


def _dataset(reader: _Reader, title: str, rates: dict[str, float]) -> Dataset:
    """Returns what a reader has read; `rates` are people's opinions of the images."""
    name = file_name(title, LONGEST_TITLE)
    return Dataset(
        name,
        reader.photos,
        _digest(reader.photos, rates, reader.crop),
        reader.asked,
        reader.crop,
        reader.excluded,
        reader.clips,
        rates,
        dict(reader.remarks),
        reader.unread,
    )


def _digest(photos: list[Photo], rates: Mapping[str, float], crop: int | None) -> str:
    """Returns the hash of the images' names and bytes, of people's opinions of them, of rungs, and of the crop."""
    lines = [f"{photo.name} {photo.sha256}" for photo in photos]
    lines += [f"{photo.name} of {photo.reference_sha256}" for photo in photos if photo.reference]
    lines += [f"{photo.name} rung {photo.rung.place!r} of {photo.rung.photograph}" for photo in photos if photo.rung]
    lines += [f"{image} rated {mos!r}" for image, mos in rates.items()]
    return digest("\n".join([f"crop {crop}", *lines]).encode())[:16]


def photo_at(name: str, path: Path, clip: str = "", reference: Path | None = None) -> Photo:
    """Reads a file's header and returns the photograph.

    Raises:
        DataError: If it cannot be used; the message names it.
    """
    try:
        size = _still(path)
        height, width = _usable(size.height, size.width, None)
    except _UnusableError as reason:
        raise DataError(f"{path} {reason}: restore it") from None
    return Photo(name, path, height, width, clip, reference=reference)


def _members_at(name: str, known: dict[str, config.DatasetConfig]) -> Members:
    """Returns the units of a folder, or a single file as one unit."""
    path = Path(name).expanduser()
    if not path.exists():
        raise BenchError(f"no data set or folder is named {name!r}: {suggestion(name, dict(known))}")
    if path.is_dir():
        return units_below(path)
    return members_of({as_text(Path(path.name)): path})


class _Reader:
    """Reads the headers of units one by one."""

    def __init__(
        self, crop: int | None, frames: int | None, pinned: dict[str, str], references: dict[str, Path | None]
    ) -> None:
        self.crop, self.frames, self.pinned, self.references = crop, frames, pinned, references
        self.photos: list[Photo] = []
        self.originals: dict[Path, str] = {}  # each with its sha256
        self.excluded: dict[str, str] = {}
        self.remarks: Counter[str] = Counter()
        self.unread: dict[str, str] = {}
        self.asked = self.clips = 0

    def read(self, unit: Unit) -> None:
        """Adds the images of a unit; excludes a whole clip if it has an unusable frame or frames of different sizes."""
        clip = unit.name if unit.name not in unit.files else ""
        self.clips += bool(clip) or any(file.suffix.lower() in VIDEOS for file in unit.files.values())
        found: list[Photo] = []
        for image, file in unit.files.items():
            try:
                found += self._images(image, file, clip)
            except _UnusableError as reason:
                self.asked += len(unit.files)
                self.excluded[unit.name] = str(reason) if unit.name == image else f"{image}: {reason}"
                return
        self.asked += len(found)
        sizes = {(photo.width, photo.height) for photo in found}
        if len(sizes) > 1:
            found_sizes = " and ".join(f"{width}x{height}" for width, height in sorted(sizes))
            self.excluded[unit.name] = f"its frames are of different sizes, {found_sizes}"
            return
        self.photos += found

    def _images(self, image: str, file: Path, clip: str) -> list[Photo]:
        """Returns the photograph of an image file, or the frames of a video."""
        _require_file(file)
        if file.suffix.lower() in VIDEOS:
            video = _examined(file)
            sha256 = self._hash(image, file)
            height, width = _usable(video.height, video.width, self.crop)
            numbers = range(video.frames if self.frames is None else min(video.frames, self.frames))
            return [
                Photo(f"{image}#{number:04}", file, height, width, image, number, sha256=sha256) for number in numbers
            ]
        size = _still(file)
        height, width = _usable(size.height, size.width, self.crop)
        sha256 = self._hash(image, file)
        if size.converted:
            self.remarks[f"converted to sRGB from {size.converted}"] += 1
        original = self._original(image, height, width)
        of_original = self.originals[original] if original else ""
        return [Photo(image, file, height, width, clip, None, original, sha256, of_original)]

    def _original(self, image: str, height: int, width: int) -> Path | None:
        """Returns the original of a distorted image, if it has one."""
        file = self.references.get(image)
        if file is None:
            return None
        _require_file(file)
        original = _still(file)
        if (size := _usable(original.height, original.width, self.crop)) != (height, width):
            raise _UnusableError(f"is {width}x{height}, and its reference {size[1]}x{size[0]}")
        if file not in self.originals:
            self.originals[file] = file_digest(file)
        return file

    def _hash(self, image: str, file: Path) -> str:
        found = file_digest(file)
        if (wanted := self.pinned.get(image, found)) != found:
            raise _UnusableError(f"is another file than the data set's: its sha256 is {found}, not {wanted}")
        return found


class _UnusableError(Exception):
    """Why a file is excluded."""


def _require_file(path: Path) -> None:
    """Raises where a name stands for something else than a file: to open a pipe would wait for ever."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        raise _UnusableError("the file is missing") from None
    except OSError as error:  # a link to itself, a folder that may not be entered
        raise _UnusableError(f"cannot be read: {error.strerror}") from None
    if kind != stat.S_IFREG:
        raise _UnusableError(f"is {KINDS.get(kind, 'no file')}, which holds no image")


def _examined(file: Path) -> Video:
    try:
        return examine(file)
    except FileNotFoundError:
        raise _UnusableError("the file is missing") from None
    except VideoError as error:
        raise _UnusableError(str(error)) from None


def _still(file: Path) -> Still:
    try:
        return examine_still(file)
    except FileNotFoundError:
        raise _UnusableError("the file is missing") from None
    except StillError as error:
        raise _UnusableError(str(error)) from None


def _usable(height: int, width: int, crop: int | None) -> tuple[int, int]:
    """Returns height and width after the crop; raises where the image is too large or too small."""
    if width * height > MOST_PIXELS:
        raise _UnusableError(too_large(width, height))
    if crop is not None:
        width, height = min(width, crop), min(height, crop)
    if min(width, height) < SMALLEST:
        raise _UnusableError(f"{width}x{height} is smaller than {SMALLEST}x{SMALLEST} pixels")
    return height, width
