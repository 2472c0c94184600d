"""Verifying a data set: are all its files here, and are they the right ones?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from metric_robustness.pipeline import config
from metric_robustness.pipeline.config import DatasetConfig
from metric_robustness.pipeline.data import pins
from metric_robustness.pipeline.data.listing import VIDEOS, files_below
from metric_robustness.pipeline.data.units import chosen, units_of
from metric_robustness.pipeline.data.videos.colours import VideoError
from metric_robustness.pipeline.data.videos.video import examine
from metric_robustness.pipeline.errors import BenchError, DataError, suggestion
from metric_robustness.pipeline.files import file_digest

OnProgress = Callable[[int, int], None]  # takes how many files or bytes are done, and of how many
PART = 1 << 24  # bytes hashed at once


@dataclass(frozen=True)
class DatasetVerdict:
    """What `verify` found of a data set."""

    name: str
    files: int  # how many it must have
    there: int  # how many of them are here
    right: int  # how many of them have the sha256 of the manifest
    further: int  # how many other files are in its folder, which nothing reads
    problems: dict[str, str] = field(default_factory=dict)  # file -> what is wrong; "" stands for the whole data set

    @property
    def line(self) -> str:
        """Returns the finding in one line."""
        finding = f"{self.name}: {self.there} of {self.files} files are there"
        finding += f", {self.right} with the right sha256" if self.right else ", their sha256 not known"
        return finding + (f"; {self.further} further files are ignored" if self.further else "")


def named(names: list[str]) -> dict[str, DatasetConfig]:
    """Returns the data sets of these names; without names, all of them.

    Raises:
        BenchError: If one does not exist.
    """
    known = config.load().datasets
    for name in names:
        if name not in known:
            raise BenchError(f"no data set is named {name!r}: {suggestion(name, dict(known))}")
    return {name: known[name] for name in names or known}


def verify(name: str, about: DatasetConfig, on_progress: OnProgress) -> DatasetVerdict:
    """Counts the files of a data set, and hashes those whose sha256 the manifest knows.

    Raises:
        BenchError: If it is not on this machine.
    """
    pinned = pins.read(name)
    wanted = _files(name, about)
    problems = {file: "is missing" for file, path in wanted.items() if not path.is_file()}
    right = 0
    for index, (file, sha256) in enumerate(pinned.items() if wanted else ()):
        on_progress(index, len(pinned))
        if file in problems:
            continue
        if (found := file_digest(wanted[file])) == sha256:
            right += 1
        else:
            problems[file] = f"has the sha256 {found}, not {sha256}"
    if not pinned and not problems and about.images is not None:
        images = 0
        for file, path in wanted.items():
            try:
                images += examine(path).frames if path.suffix.lower() in VIDEOS else 1
            except VideoError as error:
                problems[file] = str(error)
        if not problems and images != about.images:
            problems[""] = f"{name} must hold {about.images} images; got {images}: get it again from {about.source}"
    there = sum(path.is_file() for path in wanted.values())
    unnamed = {} if about.files else files_below(about.folder()).files
    return DatasetVerdict(name, len(wanted), there, right, len(unnamed.keys() - wanted.keys()), problems)


def verify_download(name: str, about: DatasetConfig, path: Path, on_progress: OnProgress) -> str:
    """Compares the downloaded archive or clip of a data set with the published size and hash.

    Returns:
        The finding in one line.

    Raises:
        BenchError: If there is no such file, or its hash was not published.
        DataError: If it is another file, or incomplete.
    """
    download = about.download
    if download is None or not download.hash:
        raise BenchError(f"the download of {name} must have a published hash; there is none: verify its files instead")
    if not path.is_file():
        raise BenchError(f"{path} must be the download of {name}; there is no such file: get {download.url}")
    size, (kind, expected) = path.stat().st_size, download.hash
    if download.size not in {None, size}:
        raise DataError(f"{path} must have {download.size:,} bytes; got {size:,}: get it again from {download.url}")
    hasher = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(PART):
            hasher.update(part)
            on_progress(file.tell(), size)
    if (found := hasher.hexdigest()) != expected:
        raise DataError(f"{path} must have the {kind} {expected}; got {found}: get it again from {download.url}")
    return f"{name}: {path} has the right {kind}"


def pin(name: str, about: DatasetConfig, on_progress: OnProgress) -> Path:
    """Writes the manifest of a data set from the files on this machine, and returns its path.

    Where the benchmark takes only a part of the data set, the manifest names that part alone.

    Raises:
        BenchError: If it is not on this machine, or has a manifest already.
        DataError: If files are missing.
    """
    if pins.read(name):
        raise BenchError(
            f"{name} must have no manifest yet; got {pins.path_of(name)}: remove it first to pin other files"
        )
    if problems := verify(name, about, on_progress).problems:
        file, problem = next(iter(problems.items()))
        raise DataError(f"{name} must be complete to be pinned; {' '.join(filter(None, [file, problem]))}")
    taken = [file for unit in chosen(units_of(name, about).units, about.most) for file in unit.files.items()]
    return pins.write(name, dict(_hashed(taken, on_progress)))


def _hashed(files: list[tuple[str, Path]], on_progress: OnProgress) -> Iterator[tuple[str, str]]:
    for index, (file, path) in enumerate(files):
        on_progress(index, len(files))
        yield file, file_digest(path)


def _files(name: str, about: DatasetConfig) -> dict[str, Path]:
    return {file: path for unit in units_of(name, about).units for file, path in unit.files.items()}
