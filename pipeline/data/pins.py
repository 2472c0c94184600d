"""The manifest of a data set: the names of its files and their sha256, in the form of `sha256sum`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import write_atomically

FOLDER = Path(__file__).with_name("manifests")
LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def path_of(name: str) -> Path:
    """Returns where the manifest of a data set lies, or would."""
    return FOLDER / f"{name}.sha256"


def read(name: str) -> dict[str, str]:
    """Returns the sha256 of each file by its name; empty for a data set without a manifest.

    Raises:
        BenchError: If the manifest is damaged.
    """
    path = path_of(name)
    return _read(path, path.stat().st_mtime_ns) if path.is_file() else {}


def write(name: str, digests: dict[str, str]) -> Path:
    """Writes the manifest of a data set and returns its path."""
    path = path_of(name)
    write_atomically(path, "".join(f"{sha256}  {file}\n" for file, sha256 in digests.items()))
    return path


@cache
def _read(path: Path, _changed: int) -> dict[str, str]:
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        parts = LINE.fullmatch(line)
        if not parts:
            raise BenchError(f"{path.name} must hold lines of sha256sum; got {line!r} in line {number}: restore it")
        found[parts[2]] = parts[1]
    return found
