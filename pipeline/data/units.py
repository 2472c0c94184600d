"""What a data set is made of: photographs, videos, and folders whose images are the frames of a clip."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import NamedTuple

from metric_robustness.pipeline.config import DatasetConfig
from metric_robustness.pipeline.data import pins
from metric_robustness.pipeline.data.listing import files_below
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.files import digest


class Unit(NamedTuple):
    """A photograph, a video, or the frames of a clip: a subset takes all of it or nothing."""

    name: str  # of the file, or of the folder that holds the frames
    files: dict[str, Path]  # by the name below the data set's folder, with "/"

    @property
    def stratum(self) -> str:
        """Returns the folder that it lies in, since a subset takes a share of every folder."""
        return str(PurePosixPath(self.name).parent)


class Members(NamedTuple):
    """The units of a data set, and what else lies in its folder."""

    units: list[Unit]
    excluded: dict[str, str]  # folders that are left out, each with the reason
    unread: dict[str, str]  # other files by suffix, as *.heic -> how many they are, and their names


def units_of(name: str, about: DatasetConfig) -> Members:
    """Returns the units of a data set of benchmark.yml.

    The names are those of its manifest, else of its list of clips, else of `files`, else of what lies in its folder.
    Only in the last case does a name mean that its file is there.

    Raises:
        BenchError: If the data set is not on this machine.
    """
    folder = about.folder()
    excluded, unread = dict[str, str](), dict[str, str]()
    if pinned := pins.read(name):
        files = {file: folder / file for file in pinned}
    elif not folder.is_dir():
        source = f" from {about.source}" if about.source else ""
        raise BenchError(f"data set {name} must lie in {folder}: put it there{source}, or set METRIC_ROBUSTNESS_DATA")
    elif about.list:
        named = [file.format(line=line) for line in _lines(folder / about.list) for file in about.files]
        files = {file: folder / file for file in named}
    elif about.files:
        files = {file: folder / file for file in about.files}
    else:
        listed = files_below(folder)
        files, excluded, unread = listed
    if about.clips == "folders":
        clips: dict[str, dict[str, Path]] = {}
        for file, path in files.items():
            clips.setdefault(str(PurePosixPath(file).parent), {})[file] = path
        return Members([Unit(clip, frames) for clip, frames in clips.items()], excluded, unread)
    return Members(_one_each(files), excluded, unread)


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


def members_of(files: dict[str, Path]) -> Members:
    """Returns single files as photographs and videos, by name."""
    return Members(_one_each(files), {}, {})


def units_below(folder: Path) -> Members:
    """Returns the photographs and videos of a folder and those below it, sorted."""
    listed = files_below(folder)
    return Members(_one_each(listed.files), listed.excluded, listed.unread)


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


def _one_each(files: dict[str, Path]) -> list[Unit]:
    return [Unit(file, {file: path}) for file, path in files.items()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} must be the data set's list of clips; got {error}: put it there") from error
