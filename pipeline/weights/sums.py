"""Lists of sha256 sums, in the form that `sha256sum -c` reads: the pins of this machine, and those of a mirror."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from metric_robustness.pipeline.catalogue.weight_paths import torch_home
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import exclusive, plain_errors, write_atomically

LINE = re.compile(r"([0-9a-f]{64})[ ][ *](.+)")
NAME = "SHA256SUMS"
OTHER_FOLDER = "choose a folder of yours, for the caches with TORCH_HOME and HF_HOME"  # where one is read-only


def parse(text: str, name: str) -> dict[str, str]:
    """Returns the sum of each named file; empty lines do not count.

    Args:
        text: What the list holds.
        name: Of the list, for the message.

    Raises:
        BenchError: If a line has another form: a pin that is dropped would let any file pass.
    """
    found = {}
    for number, line in enumerate(text.split("\n"), 1):
        match = LINE.fullmatch(line.removesuffix("\r"))
        if match:
            found[match[2]] = match[1]
        elif line.strip():
            raise BenchError(
                f"{name} must hold lines of sha256sum; got {line[:100]!r} in line {number}: correct or remove it"
            )
    return found


def read(file: Path) -> dict[str, str]:
    """Returns the sums of a file, or none where it is missing.

    Raises:
        BenchError: If a line is damaged, or the file may not be read.
    """
    with plain_errors(file, OTHER_FOLDER):
        return parse(file.read_text(encoding="utf-8", errors="replace"), str(file)) if file.is_file() else {}


def record(file: Path, name: str, sha256: str) -> None:
    """Adds or replaces the sum of a file; several processes may do so at once.

    Raises:
        TransientError: If the disk is full.
        BenchError: If the folder may not be written to.
    """
    if read(file).get(name) == sha256:
        return
    with exclusive(file.with_name(f".{file.name}.lock"), OTHER_FOLDER):
        _write(file, read(file) | {name: sha256})


def forget(file: Path, names: Collection[str]) -> None:
    """Removes the sums of files; several processes may change the list at once.

    Raises:
        TransientError: If the disk is full.
        BenchError: If a line is damaged, or the folder may not be written to.
    """
    with exclusive(file.with_name(f".{file.name}.lock"), OTHER_FOLDER):
        _write(file, {name: sha256 for name, sha256 in read(file).items() if name not in names})


def _write(file: Path, sums: dict[str, str]) -> None:
    write_atomically(file, "".join(f"{sums[key]}  {key}\n" for key in sorted(sums)), OTHER_FOLDER)


def pins_file() -> Path:
    """Returns this machine's pins: the sha256 that files unknown to the manifest had at their first download."""
    return torch_home() / "metric_robustness" / NAME
