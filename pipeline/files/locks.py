"""Locks that end with the process that holds them, however that ends."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from threading import Timer
from typing import IO, Any

from metric_robustness.pipeline.errors import BenchError, TransientError
from metric_robustness.pipeline.files.atomic import OTHER_OUT, plain_errors
from metric_robustness.pipeline.files.leftovers import remove_leftovers
from metric_robustness.pipeline.terminal import err

PATIENCE = 2  # seconds
LOCK = Path(".work/.lock")  # in a run folder; no metric, whose unfinished work lies beside it, has such a name
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}  # what file systems without locks answer


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Holds an output folder for this process alone, and removes what a killed one was writing there.

    Raises:
        TransientError: If another run holds it.
        BenchError: If the folder cannot be made or written to, or its file system has no locks.
    """
    path = folder / LOCK
    with plain_errors(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+", buffering=0)
    with file:
        try:
            _lock(file, path, fcntl.LOCK_EX | fcntl.LOCK_NB, OTHER_OUT)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().decode(errors="replace").strip() or "unknown"
            raise TransientError(
                f"{folder} is being written by another run (process {owner}): wait for it, or choose another --out"
            ) from None
        with plain_errors(path):
            file.truncate(0)
            file.write(str(os.getpid()).encode())
        remove_leftovers(folder)
        yield


@contextmanager
def exclusive(path: Path, remedy: str = OTHER_OUT, waits_for: str = "") -> Iterator[None]:
    """Holds a lock file while the body runs; waits for another process or thread, of any user, that holds it.

    Args:
        path: The lock file; folders that are missing are made.
        remedy: As in `write_atomically`.
        waits_for: What is waited for, as in "waiting for ...", which is printed once that takes over two seconds; empty
            where nobody has to be told.

    Raises:
        BenchError: If the folder may not be written to, or its file system has no locks.
    """
    with plain_errors(path, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _opened(path)
    with file:
        try:
            _lock(file, path, fcntl.LOCK_EX | fcntl.LOCK_NB, remedy)
        except BlockingIOError:
            with _told(waits_for):
                _lock(file, path, fcntl.LOCK_EX, remedy)
        yield


def _opened(path: Path) -> IO[Any]:
    """Opens a lock file; to be locked it need not be writable, as that of another user is not."""
    try:
        return path.open("a")
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS} and path.is_file():
            return path.open()
        raise


@contextmanager
def _told(waits_for: str) -> Iterator[None]:
    """Prints what is waited for if the body takes long."""
    line = f"waiting for {waits_for}"
    timer = Timer(PATIENCE, err.print, [line], {"markup": False, "soft_wrap": True})
    timer.daemon = True
    if waits_for:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _lock(file: FileIO | IO[Any], path: Path, how: int, remedy: str) -> None:
    try:
        fcntl.flock(file, how)
    except OSError as error:
        if error.errno in NO_LOCKS:
            raise BenchError(
                f"{path} must lie on a file system with locks; this one answers {error.strerror}: {remedy}"
            ) from error
        raise
