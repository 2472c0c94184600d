"""Lists of sha256 sums, in the form that `sha256sum -c` reads: the pins of this machine, and those of a mirror."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.catalogue.weight_paths import torch_home
from pipeline.weights.writing import locked, put

LINE = re.compile(r"([0-9a-f]{64})[ ][ *](.+)")
NAME = "SHA256SUMS"


def parse(text: str) -> dict[str, str]:
    """Returns the sum of each named file; lines of another form are left out."""
    found = (LINE.fullmatch(line) for line in text.splitlines())
    return {match[2]: match[1] for match in found if match}


def read(file: Path) -> dict[str, str]:
    """Returns the sums of a file, or none where it is missing."""
    return parse(file.read_text(encoding="utf-8", errors="replace")) if file.is_file() else {}


def record(file: Path, name: str, sha256: str) -> None:
    """Adds a sum, or replaces it; several processes may do so at once.

    Raises:
        TransientError: If the disk is full.
        BenchError: If the folder may not be written to.
    """
    if read(file).get(name) == sha256:
        return
    with locked(file.with_name(f".{file.name}.lock")):
        sums = read(file) | {name: sha256}
        put(file, "".join(f"{sums[key]}  {key}\n" for key in sorted(sums)))


def pins_file() -> Path:
    """Returns where the sha256 of files that the manifest does not know is kept, from their first download on."""
    return torch_home() / "metric_robustness" / NAME
