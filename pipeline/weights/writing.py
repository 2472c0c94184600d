"""Writing below the caches: locks, whole files, and one line where the disk or a folder refuses."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import BenchError, TransientError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turns what the file system refuses into one line that says what to do.

    Raises:
        TransientError: If the disk is full.
        BenchError: If the folder may not be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise TransientError(
                f"the disk is full while writing {path}: free some space and run again; what has arrived is kept"
            ) from error
        raise BenchError(
            f"{path} must be writable; got {error.strerror}: choose a folder of yours with TORCH_HOME and HF_HOME"
        ) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock file while the body runs; waits for another process or thread that holds it."""
    with plain_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def put(path: Path, text: str) -> None:
    """Writes a small file in one step."""
    with plain_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)


def settle(part: Path, path: Path) -> None:
    """Gives a whole file its final name, once its bytes are on the disk."""
    with plain_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)


def point(link: Path, target: Path) -> None:
    """Makes a relative link to a file, replacing what has its name, in one step."""
    with plain_errors(link):
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
        fresh.symlink_to(os.path.relpath(target, link.parent))
        fresh.replace(link)
