"""Atomic writes and digests: a file is whole or not there, and an error of the disk is one line."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from metric_robustness.pipeline.errors import BenchError, TransientError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # no room on the disk, in the quota, or under `ulimit -f`
LONGEST = 200  # bytes of a name; file systems allow 255, of which endings and temporary names take some
OTHER_OUT = "choose another --out"  # what to do where an output folder cannot be written to
WRITING = ".writing"  # how the name of a file ends that is being written, or was when its process was killed


def write_atomically(path: Path, content: str | bytes, remedy: str = OTHER_OUT, *, parts: Path | None = None) -> None:
    """Writes a file so that a reader, or a power cut, sees the old content or the new, never a part.

    Args:
        path: The file; folders that are missing are made.
        content: What it will hold.
        remedy: What the message says to do where the folder may not be written to.
        parts: The folder of the unfinished file, on the same file system; None: that of the file.

    Raises:
        TransientError: If the disk is full.
        BenchError: If the folder may not be written to.
    """
    data = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    with plain_errors(path, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        if parts:
            parts.mkdir(exist_ok=True)
        handle, part = _begin(parts or path.parent, path.name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                part.replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                part.unlink()
            raise


def _begin(folder: Path, name: str) -> tuple[int, Path]:
    """Makes a hidden file, which the umask applies to; returns its handle and path.

    It is locked as long as it is open, so that `remove_leftovers` can tell it from one whose process was killed.
    """
    while True:
        part = folder / f".{name[:40]}.{secrets.token_hex(4)}{WRITING}"
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with suppress(OSError):  # a file system without locks: nobody removes what is not locked there
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, part
        os.close(handle)  # taken for a leftover before it was locked


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
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            raise TransientError(
                f"{path} cannot be opened beside so many files: allow more with ulimit -n, and run again"
            ) from error
        if isinstance(error, NotADirectoryError | FileExistsError):
            raise BenchError(f"{path} must lie below folders; one of them is a file: {remedy}") from error
        raise BenchError(f"{path} must be writable; got {error.strerror}: {remedy}") from error
