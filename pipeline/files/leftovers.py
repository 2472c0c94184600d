"""Removes what killed processes were writing."""

from __future__ import annotations

import fcntl
import shutil
from contextlib import suppress
from pathlib import Path

from metric_robustness.pipeline.files.atomic import WRITING


def remove_leftovers(folder: Path) -> None:
    """Removes unfinished files below a folder that no process is writing any more.

    It takes unfinished folders, too, which have no locks: call it only where no other process makes any.
    """
    for path in list(folder.rglob(f".*{WRITING}")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            continue
        with suppress(OSError), path.open("rb") as file:  # gone by now, or a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
