"""Where fetched files go: the caches that the libraries read, or a mirror's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from metric_robustness.pipeline.catalogue.weight_paths import hub_file, main_revision, torch_home
from metric_robustness.pipeline.files import exclusive, move_into_place, replace_link, write_atomically
from metric_robustness.pipeline.weights import sums
from metric_robustness.pipeline.weights.declared import Need
from metric_robustness.pipeline.weights.opening import PART
from metric_robustness.pipeline.weights.sums import OTHER_FOLDER

UNKNOWN_REVISION = "0" * 40  # for a hub file whose commit is not known: it came from a mirror, or was imported


class Destination(Protocol):
    """A set of places for files."""

    lists_all: bool  # whether its list of sums also names files whose sha256 the manifest knows

    def path(self, need: Need) -> Path:
        """Returns where the file lies, or would."""

    def part(self, need: Need) -> Path:
        """Returns where the file is collected until it is whole, on the same file system."""

    def accept(self, need: Need, part: Path, sha256: str, revision: str) -> None:
        """Moves a whole and checked file into its place.

        Args:
            need: Which file it is.
            part: Where it was collected.
            sha256: The hash of its content.
            revision: The commit of its repository on the hub; empty if not known.
        """

    def sums(self) -> Path:
        """Returns the list of the sha256 sums of files that are there."""

    @contextmanager
    def lock(self, need: Need) -> Iterator[None]:
        """Lets one process at a time write the file; others wait."""


class Caches:
    """The places where torch hub, pyiqa, CLIP and the Hugging Face library look."""

    lists_all = False

    def path(self, need: Need) -> Path:
        return need.path

    def part(self, need: Need) -> Path:
        if need.name.startswith("huggingface/"):
            wanted = hub_file(need.name)
            return wanted.folder / "blobs" / f".{wanted.file.replace('/', '--')}{PART}"
        return need.path.with_name(f".{need.path.name}{PART}")

    def accept(self, need: Need, part: Path, sha256: str, revision: str) -> None:
        if not need.name.startswith("huggingface/"):
            move_into_place(part, need.path, OTHER_FOLDER)
            return
        wanted = hub_file(need.name)
        blob = wanted.folder / "blobs" / sha256
        move_into_place(part, blob, OTHER_FOLDER)
        revision = revision or main_revision(wanted.folder) or UNKNOWN_REVISION
        replace_link(wanted.folder / "snapshots" / revision / wanted.file, blob, OTHER_FOLDER)
        if main_revision(wanted.folder) != revision:
            write_atomically(wanted.folder / "refs" / "main", revision, OTHER_FOLDER)

    def sums(self) -> Path:
        return sums.pins_file()

    @contextmanager
    def lock(self, need: Need) -> Iterator[None]:
        with exclusive(torch_home() / "metric_robustness" / "locks" / _lock_name(need), OTHER_FOLDER):
            yield


class MirrorFolder:
    """A folder that holds files under their declared names, and a list of their sums; any web server can serve it."""

    lists_all = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, need: Need) -> Path:
        return self.folder / need.name

    def part(self, need: Need) -> Path:
        return self.path(need).with_name(f".{self.path(need).name}{PART}")

    def accept(self, need: Need, part: Path, sha256: str, revision: str) -> None:
        move_into_place(part, self.path(need), OTHER_FOLDER)

    def sums(self) -> Path:
        return self.folder / sums.NAME

    @contextmanager
    def lock(self, need: Need) -> Iterator[None]:
        with exclusive(self.folder / ".locks" / _lock_name(need), OTHER_FOLDER):
            yield


def _lock_name(need: Need) -> str:
    return hashlib.sha256(need.name.encode()).hexdigest()[:16]
