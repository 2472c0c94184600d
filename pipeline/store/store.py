"""The result store: computed objects in a folder or on GitLab, which a hash of their inputs finds.

The store writes an object whole or not at all, sealed with its place, so that reading can refuse one that is damaged or
belongs in another place.
"""

from __future__ import annotations

import re
import stat
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple, final, get_args

from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.files import SealError, plain_errors, remove_leftovers, sealed, unseal, write_atomically
from metric_robustness.pipeline.store.signature import Signature

# Finished cells, checkpoints of unfinished ones, scores of clear images and speeds, fitted patterns, digests of job
# images, notes since when nobody wants a result.
Kind = Literal["cells", "unfinished", "clear", "fits", "images", "unwanted"]
PLACE = re.compile(r"[a-z]+/[0-9a-f]{16,64}/[a-z][a-z.]*")
MIB = 2**20
STAMP = "stamp.json"  # removed first: rows without a stamp do not count, and a stamp without rows is an error
# The most that an object may hold, by its name: planning reads all stamps, and a few bytes may inflate to gigabytes.
LARGEST = {STAMP: 16 * MIB, "probe": MIB}
LARGEST_OTHER = 2048 * MIB  # rows, checkpoints, patterns
CONNECTIONS = 16
PART = 16  # objects that a connection reads before it is given others: to give takes longer than to read a small file


class RefusedError(DataError):
    """An object of the store is damaged, or belongs in another place."""


class Place(NamedTuple):
    """Where an object is stored: its kind, the hash of its inputs, and its name."""

    kind: Kind
    key: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}/{self.name}"


class Upload(NamedTuple):
    """One version of an object. A place may hold several: GitLab's registry keeps what a newer upload replaces."""

    place: Place
    size: int  # bytes, as stored
    when: float  # it was uploaded, in seconds since 1970
    name: str  # by which the store tells it from other versions


class Store(ABC):
    """A place for objects that outlive a job.

    Attributes:
        signature: Signs what is written, and verifies what is read.
    """

    signature = Signature()

    @final
    def read(self, place: Place) -> bytes | None:
        """Returns an object's content, or None if there is none.

        Raises:
            RefusedError: If it is damaged, belongs elsewhere, or nobody whom we trust signed it.
            TransientError: If the store cannot be reached.
        """
        _check(place)
        found = self._get(place)
        if found is None:
            return None
        packed = self.signature.verified(str(place), found)
        if packed is None:
            raise RefusedError(
                f"{place} in the store is signed by no pipeline of a protected branch: it is computed again"
            )
        return _unpack(place, packed)

    @final
    def write(self, place: Place, content: bytes) -> None:
        """Writes an object, or replaces it."""
        _check(place)
        self._put(place, self.signature.signed(str(place), _pack(place, content)))

    def read_all(self, places: Iterable[Place]) -> dict[Place, bytes | RefusedError | None]:
        """Reads many objects at once; returns the error of a refused one, so that it stops no other."""

        def read(place: Place) -> bytes | RefusedError | None:
            try:
                return self.read(place)
            except RefusedError as error:
                return error

        wanted = list(places)
        parts = [wanted[start : start + PART] for start in range(0, len(wanted), PART)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            found = chain.from_iterable(pool.map(lambda part: [read(place) for place in part], parts))
            return dict(zip(wanted, found, strict=True))

    @abstractmethod
    def uploads(self) -> list[Upload]:
        """Returns all that the store holds, of each place the oldest version first; foreign files are not listed.

        Raises:
            BenchError: If the store may not be listed.
            TransientError: If it cannot be reached.
        """

    @abstractmethod
    def remove(self, uploads: Sequence[Upload]) -> None:
        """Removes uploads of one kind and key; those that are gone already are no error, and newer ones stay.

        Raises:
            BenchError: If they may not be removed.
            TransientError: If the store cannot be reached.
        """

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
        self.root, self.parts = root, root / ".parts"
        remove_leftovers(self.parts)

    def _get(self, place: Place) -> bytes | None:
        with plain_errors(self._path(place)):
            try:
                return self._path(place).read_bytes()
            except FileNotFoundError:
                return None
            except IsADirectoryError:
                raise RefusedError(f"{place} in the store is a folder: remove {self._path(place)}") from None

    def _put(self, place: Place, packed: bytes) -> None:
        write_atomically(self._path(place), packed, parts=self.parts)

    def uploads(self) -> list[Upload]:
        found = []
        for kind in get_args(Kind):
            for file in sorted((self.root / kind).glob("*/*/*")):
                place = Place(kind, file.parent.name, file.name)
                if not PLACE.fullmatch(str(place)) or file != self._path(place):
                    continue
                with plain_errors(file), suppress(FileNotFoundError):  # somebody has removed it since it was listed
                    facts = file.stat()
                    if stat.S_ISREG(facts.st_mode):
                        found.append(Upload(place, facts.st_size, facts.st_mtime, str(facts.st_mtime_ns)))
        return found

    def remove(self, uploads: Sequence[Upload]) -> None:
        for upload in sorted(uploads, key=lambda upload: upload.place.name != STAMP):
            file = self._path(upload.place)
            with plain_errors(file), suppress(FileNotFoundError):
                if str(file.stat().st_mtime_ns) == upload.name:  # else somebody has written it since it was listed
                    file.unlink()

    def _path(self, place: Place) -> Path:
        return self.root / place.kind / place.key[:2] / place.key / place.name


def _check(place: Place) -> None:
    """Raises BenchError unless the place is safe in a path and in a web address."""
    if not PLACE.fullmatch(str(place)):
        raise BenchError(f"a place in the store must be KIND/HASH/NAME; got {str(place)!r}: report this bug")


def _pack(place: Place, content: bytes) -> bytes:
    return sealed(zlib.compress(content, 6), str(place))


def _unpack(place: Place, packed: bytes) -> bytes:
    try:
        body = unseal(packed, str(place))
    except SealError as error:
        raise RefusedError(f"{place} in the store {error}: it is computed again") from error
    if body is None:
        raise RefusedError(f"{place} in the store belongs to another place: it is computed again")
    most = LARGEST.get(place.name, LARGEST_OTHER)
    inflating = zlib.decompressobj()
    try:
        content = inflating.decompress(body, most)
    except zlib.error as error:
        raise RefusedError(f"{place} in the store cannot be inflated: it is computed again") from error
    if inflating.unconsumed_tail:
        raise RefusedError(f"{place} in the store holds more than {most // MIB} MiB: it is computed again")
    if not inflating.eof:
        raise RefusedError(f"{place} in the store ends too early: it is computed again")
    return content
