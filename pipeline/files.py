"""Files that are whole or not there: atomic writes, digests, and the lock of an output folder."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import BenchError, TransientError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # no room on the disk, in the quota, or under `ulimit -f`


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes a file so that a reader, or a power cut, sees the old content or the new, never a part.

    Raises:
        TransientError: If the disk is full.
        BenchError: If the folder may not be written to.
    """
    data = content.encode() if isinstance(content, str) else content
    with plain_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(name).unlink()
            raise


def append_line(path: Path, line: str) -> None:
    """Appends one line and waits until it is on the disk; a torn last line is the reader's to drop.

    Raises:
        TransientError: If the disk is full.
        BenchError: If the folder may not be written to.
    """
    with plain_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())


def digest(data: bytes) -> str:
    """Returns the sha256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """Returns the sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Holds an output folder for this process alone; the lock dies with the process, however it ends.

    Raises:
        TransientError: If another run holds it.
        BenchError: If the folder cannot be made or written to.
    """
    path = folder / ".work" / "lock"
    with plain_errors(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+", buffering=0)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().decode().strip() or "unknown"
            raise TransientError(
                f"{folder} is being written by another run (process {owner}): wait for it, or choose another --out"
            ) from None
        with plain_errors(path):
            file.truncate(0)
            file.write(str(os.getpid()).encode())
        yield


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds a lock file while the body runs; waits for another process that holds it."""
    with plain_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turns what the file system refuses into one line that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise TransientError(
                f"the disk is full while writing {path}: free some space and run again; finished cells are kept"
            ) from error
        if isinstance(error, NotADirectoryError | FileExistsError):
            raise BenchError(f"{path} lies below a file, not a folder: choose another --out") from error
        raise BenchError(f"{path} cannot be written ({error.strerror}): choose another --out") from error
