"""Where fetched files are put: the caches that the libraries read, or a mirror's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pipeline.catalogue.weight_paths import hub_file, main_revision, torch_home
from pipeline.weights import sums
from pipeline.weights.declared import Need
from pipeline.weights.writing import locked, point, put, settle

UNKNOWN_REVISION = "0" * 40  # of a hub file whose commit nobody told: from a mirror, or imported


class Destination(Protocol):
    """A set of places that files are put in."""

    lists_all: bool  # whether its sums name also the files that the manifest knows

    def path(self, need: Need) -> Path:
        """Returns where the file lies, or would."""

    def part(self, need: Need) -> Path:
        """Returns where it is collected until it is whole, on the same file system."""

    def put(self, need: Need, part: Path, sha256: str, revision: str) -> None:
        """Gives a whole and checked file its place."""

    def sums(self) -> Path:
        """Returns the file that pins sha256 sums there."""

    @contextmanager
    def lock(self, need: Need) -> Iterator[None]:
        """Holds the file's place for one process."""


class Caches:
    """The places where torch hub, pyiqa, CLIP and the Hugging Face library look."""

    lists_all = False

    def path(self, need: Need) -> Path:
        return need.path

    def part(self, need: Need) -> Path:
        if need.name.startswith("huggingface/"):
            wanted = hub_file(need.name)
            return wanted.folder / "blobs" / f".{wanted.file.replace('/', '--')}.part"
        return need.path.with_name(f".{need.path.name}.part")

    def put(self, need: Need, part: Path, sha256: str, revision: str) -> None:
        if not need.name.startswith("huggingface/"):
            settle(part, need.path)
            return
        wanted = hub_file(need.name)
        blob = wanted.folder / "blobs" / sha256
        settle(part, blob)
        revision = revision or main_revision(wanted.folder) or UNKNOWN_REVISION
        point(wanted.folder / "snapshots" / revision / wanted.file, blob)
        if main_revision(wanted.folder) != revision:
            put(wanted.folder / "refs" / "main", revision)

    def sums(self) -> Path:
        return sums.pins_file()

    @contextmanager
    def lock(self, need: Need) -> Iterator[None]:
        with locked(torch_home() / "metric_robustness" / "locks" / _short(need)):
            yield


class MirrorFolder:
    """A folder with the declared names below it, and their sums; any web server can serve it."""

    lists_all = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, need: Need) -> Path:
        return self.folder / need.name

    def part(self, need: Need) -> Path:
        return self.path(need).with_name(f".{self.path(need).name}.part")

    def put(self, need: Need, part: Path, sha256: str, revision: str) -> None:
        settle(part, self.path(need))

    def sums(self) -> Path:
        return self.folder / sums.NAME

    @contextmanager
    def lock(self, need: Need) -> Iterator[None]:
        with locked(self.folder / ".locks" / _short(need)):
            yield


def _short(need: Need) -> str:
    return hashlib.sha256(need.name.encode()).hexdigest()[:16]
