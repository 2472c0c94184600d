"""Atomic writes, digests and locks: a file is whole or not there, and an error of the disk is one line."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from metric_robustness.pipeline.errors import BenchError, TransientError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # no room on the disk, in the quota, or under `ulimit -f`
LONGEST = 200  # bytes of a name; file systems allow 255, of which endings and temporary names take some
OTHER_OUT = "choose another --out"  # what to do where an output folder cannot be written to


def write_atomically(path: Path, content: str | bytes, remedy: str = OTHER_OUT) -> None:
    """Writes a file so that a reader, or a power cut, sees the old content or the new, never a part.

    Args:
        path: The file; folders that are missing are made.
        content: What it will hold.
        remedy: What the message says to do where the folder may not be written to.

    Raises:
        TransientError: If the disk is full.
        BenchError: If the folder may not be written to.
    """
    data = content.encode() if isinstance(content, str) else content
    with plain_errors(path, remedy):
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


def move_into_place(part: Path, path: Path, remedy: str = OTHER_OUT) -> None:
    """Gives a file that was collected elsewhere on the same file system its final name, once it is on the disk.

    Args:
        part: The collected file.
        path: Its final name; folders that are missing are made.
        remedy: As in `write_atomically`.

    Raises:
        TransientError: If the disk is full.
        BenchError: If the folder may not be written to.
    """
    with plain_errors(path, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)


def replace_link(link: Path, target: Path, remedy: str = OTHER_OUT) -> None:
    """Makes a relative link to a file; replaces what has the link's name in one step.

    Args:
        link: The link; folders that are missing are made.
        target: The file that it leads to.
        remedy: As in `write_atomically`.

    Raises:
        TransientError: If the disk is full.
        BenchError: If the folder may not be written to.
    """
    with plain_errors(link, remedy):
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
        fresh.symlink_to(os.path.relpath(target, link.parent))
        fresh.replace(link)


def append_line(path: Path, line: str) -> None:
    """Appends one line and waits until it is on the disk; readers have to drop a last line that was cut off.

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


def file_name(name: str, most: int = LONGEST) -> str:
    """Returns a name that a file or folder can have: `name` itself, or its beginning and a hash where it is too long.

    Args:
        name: What the file is about.
        most: Bytes that the result may have.
    """
    if len(data := name.encode()) <= most:
        return name
    return f"{data[: most - 17].decode(errors='ignore')}-{digest(data)[:16]}"


def digest(data: bytes) -> str:
    """Returns the sha256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """Returns the sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Holds an output folder for this process alone; the lock ends with the process, however that ends.

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
def exclusive(path: Path, remedy: str = OTHER_OUT) -> Iterator[None]:
    """Holds a lock file while the body runs; waits for another process or thread that holds it.

    Args:
        path: The lock file; folders that are missing are made.
        remedy: As in `write_atomically`.

    Raises:
        BenchError: If the folder may not be written to.
    """
    with plain_errors(path, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def plain_errors(path: Path, remedy: str = OTHER_OUT) -> Iterator[None]:
    """Turns what the file system refuses into one line that says what to do.

    Args:
        path: What is written, for the message.
        remedy: What the message says to do where the folder may not be written to.

    Raises:
        TransientError: If the disk is full.
        BenchError: If the folder may not be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise TransientError(
                f"the disk is full while writing {path}: free some space and run again; what is done is kept"
            ) from error
        if isinstance(error, NotADirectoryError | FileExistsError):
            raise BenchError(f"{path} must lie below folders; one of them is a file: {remedy}") from error
        raise BenchError(f"{path} must be writable; got {error.strerror}: {remedy}") from error
