"""What a data set is made of: photographs, videos, and folders whose images are the frames of a clip."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from metric_robustness.pipeline.config import DatasetConfig
from metric_robustness.pipeline.data import pins
from metric_robustness.pipeline.data.formats import suffixes
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.files import digest

VIDEOS = {".y4m", ".mp4", ".mkv", ".avi", ".mov", ".webm"}
MOST_REMARKS = 20  # suffixes named one by one


class Unit(NamedTuple):
    """A photograph, a video, or the frames of a clip: a subset takes all of it or nothing."""

    name: str  # of the file, or of the folder that holds the frames
    files: dict[str, Path]  # by the name below the data set's folder, with "/"

    @property
    def stratum(self) -> str:
        """Returns the folder that it lies in, since a subset takes a share of every folder."""
        return str(PurePosixPath(self.name).parent)


def units_of(name: str, about: DatasetConfig) -> list[Unit]:
    """Returns the units of a data set of benchmark.yml.

    The names are those of its manifest, else of its list of clips, else of `files`, else of what lies in its folder.
    Only in the last case does a name mean that its file is there.

    Raises:
        BenchError: If the data set is not on this machine.
    """
    folder = about.folder()
    if pinned := pins.read(name):
        names: Iterable[str] = pinned
    elif not folder.is_dir():
        source = f" from {about.source}" if about.source else ""
        raise BenchError(f"data set {name} must lie in {folder}: put it there{source}, or set METRIC_ROBUSTNESS_DATA")
    elif about.list:
        names = [file.format(line=line) for line in _lines(folder / about.list) for file in about.files]
    else:
        names = about.files or list(files_below(folder))
    files = {file: folder / os.fsdecode(file) for file in names}
    if about.clips == "folders":
        clips: dict[str, dict[str, Path]] = {}
        for file, path in files.items():
            clips.setdefault(str(PurePosixPath(file).parent), {})[file] = path
        return [Unit(clip, frames) for clip, frames in clips.items()]
    return [Unit(file, {file: path}) for file, path in files.items()]


def require_all(name: str, about: DatasetConfig, units: list[Unit]) -> None:
    """Refuses a data set that holds more or fewer images than it must, if only its folder says which files it has.

    Which images a subset takes depends on all names, so a folder with other files would give other images.

    Raises:
        DataError: If the number is wrong.
    """
    named = about.files or about.list or pins.read(name)
    if not named and about.images is not None and len(units) != about.images:
        raise DataError(
            f"{name} must hold {about.images} images; {about.folder()} holds {len(units)}: get it again from "
            f"{about.source}, take out what is not part of it, or run on the folder itself by its path"
        )


class Listing(NamedTuple):
    """What lies in a folder and those below it."""

    files: dict[str, Path]  # images and videos by their names, sorted; links to nowhere, too
    unread: Counter[str]  # suffix of other files, in lower case -> how many there are

    @property
    def units(self) -> list[Unit]:
        """Returns the photographs and videos."""
        return [Unit(file, {file: path}) for file, path in self.files.items()]

    @property
    def remarks(self) -> dict[str, int]:
        """Returns what is to be said of the other files, once per suffix, each with a count."""
        common = dict(self.unread.most_common(MOST_REMARKS))
        said = {f"not read: {suffix or 'without a suffix'}": count for suffix, count in sorted(common.items())}
        rest = self.unread.total() - sum(common.values())
        return said | ({"not read: further suffixes": rest} if rest else {})


def listing(folder: Path) -> Listing:
    """Returns what lies in a folder and those below it."""
    read, files, unread = suffixes().keys() | VIDEOS, {}, Counter[str]()
    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") or path.is_dir():
            continue
        if (suffix := path.suffix.lower()) in read:
            files[as_text(path.relative_to(folder))] = path
        else:
            unread[as_text(Path(suffix)) if suffix else ""] += 1
    return Listing(files, unread)


def files_below(folder: Path) -> dict[str, Path]:
    """Returns the paths of all images and videos by their names; includes links to nowhere."""
    return listing(folder).files


def as_text(path: Path) -> str:
    """Returns a path with "/"; writes bytes that are no UTF-8, which file systems allow, in hexadecimal."""
    return os.fsencode(path.as_posix()).decode(errors="backslashreplace")


def chosen(units: list[Unit], count: int | None) -> list[Unit]:
    """Returns `count` of the units in their own order; a larger number takes those of a smaller one, too.

    Each stratum gives its share: the function orders its units by the hashes of their names, spreads them evenly over
    [0, 1) from an offset that the hash of the stratum's own name gives, and takes those that come first. With one
    stratum these are the smallest hashes. The choice depends on the names of all units, so it lasts as long as these
    do: for ever where the data set has a manifest or a list of clips.
    """
    if count is None or count >= len(units):
        return units
    strata: dict[str, list[Unit]] = {}
    for unit in units:
        strata.setdefault(unit.stratum, []).append(unit)
    ranks: dict[str, tuple[float, str]] = {}
    for stratum, members in strata.items():
        offset = int(digest(stratum.encode())[:8], 16) / 16**8
        for index, (hashed, name) in enumerate(sorted((digest(unit.name.encode()), unit.name) for unit in members)):
            ranks[name] = ((index + offset) / len(members), hashed)
    taken = set(sorted(ranks, key=ranks.__getitem__)[:count])
    return [unit for unit in units if unit.name in taken]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} must be the data set's list of clips; got {error}: put it there") from error
