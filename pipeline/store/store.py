"""The result store: computed objects in a folder or on GitLab, which a hash of their inputs finds.

The store writes an object whole or not at all, together with its place and the hash of its content, so that reading can
refuse one that is damaged or belongs in another place.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple, final

from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.files import plain_errors, write_atomically

# Finished cells, checkpoints of unfinished ones, scores of clear images, fitted patterns.
Kind = Literal["cells", "unfinished", "clear", "fits"]
PLACE = re.compile(r"[a-z]+/[0-9a-f]{16,64}/[a-z][a-z.]*")
MAGIC = b"robustness-object 1"
CONNECTIONS = 16


class RefusedError(DataError):
    """An object of the store is damaged, or belongs in another place."""


class Place(NamedTuple):
    """Where an object is stored: its kind, the hash of its inputs, and its name."""

    kind: Kind
    key: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}/{self.name}"


class Store(ABC):
    """A place for objects that outlive a job."""

    @final
    def read(self, place: Place) -> bytes | None:
        """Returns an object's content, or None if there is none.

        Raises:
            RefusedError: If it is damaged or belongs elsewhere.
            TransientError: If the store cannot be reached.
        """
        _check(place)
        packed = self._get(place)
        return None if packed is None else _unpack(place, packed)

    @final
    def write(self, place: Place, content: bytes) -> None:
        """Writes an object, or replaces it."""
        _check(place)
        self._put(place, _pack(place, content))

    def read_all(self, places: Iterable[Place]) -> dict[Place, bytes | RefusedError | None]:
        """Reads many objects at once; returns the error of a refused one, so that it stops no other."""

        def read(place: Place) -> bytes | RefusedError | None:
            try:
                return self.read(place)
            except RefusedError as error:
                return error

        wanted = list(places)
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            return dict(zip(wanted, pool.map(read, wanted), strict=True))

    @abstractmethod
    def _get(self, place: Place) -> bytes | None:
        """Returns the bytes stored at a place, or None."""

    @abstractmethod
    def _put(self, place: Place, packed: bytes) -> None:
        """Stores bytes at a place, all or nothing."""


class FolderStore(Store):
    """Objects as files of a folder.

    Args:
        root: The folder; the first write makes it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def _get(self, place: Place) -> bytes | None:
        with plain_errors(self._path(place)):
            try:
                return self._path(place).read_bytes()
            except FileNotFoundError:
                return None

    def _put(self, place: Place, packed: bytes) -> None:
        write_atomically(self._path(place), packed)

    def _path(self, place: Place) -> Path:
        return self.root / place.kind / place.key[:2] / place.key / place.name


def _check(place: Place) -> None:
    """Raises BenchError unless the place is safe in a path and in a web address."""
    if not PLACE.fullmatch(str(place)):
        raise BenchError(f"a place in the store must be KIND/HASH/NAME; got {str(place)!r}: report this bug")


def _pack(place: Place, content: bytes) -> bytes:
    body = zlib.compress(content, 6)
    return b"%s %s %s\n%s" % (MAGIC, str(place).encode(), hashlib.sha256(body).hexdigest().encode(), body)


def _unpack(place: Place, packed: bytes) -> bytes:
    head, _, body = packed.partition(b"\n")
    if not head.startswith(MAGIC + b" ") or len(fields := head[len(MAGIC) + 1 :].decode(errors="replace").split()) != 2:
        raise RefusedError(f"{place} in the store is not an object of ours: it is computed again")
    written_for, sha256 = fields
    if hashlib.sha256(body).hexdigest() != sha256:
        raise RefusedError(f"{place} in the store is damaged: it is computed again")
    if written_for != str(place):
        raise RefusedError(f"{place} in the store belongs to {written_for!r}: it is computed again")
    return zlib.decompress(body)
