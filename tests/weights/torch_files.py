"""Weights files as PyTorch writes them, for tests that do without it: a child process imports it.

As a program, `torch_files.py FOLDER MARK` writes them; one of them touches the file MARK where it is unpickled.
"""

from __future__ import annotations

import atexit
import io
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

SEEDS = range(1, 10)
NUMBERS = 40_000  # of a checkpoint


class Trap:
    """Runs code where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@cache
def files() -> dict[str, bytes]:
    """Returns what the child process wrote, by name."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, folder, str(touched())], check=True)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@cache
def touched() -> Path:
    """Returns the file that a trap touches; the same for all tests, as one child process writes all files."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name, "mark")


def checkpoint(seed: int) -> bytes:
    """Returns a file as torch.save writes it; another one for every seed."""
    return files()[f"checkpoint-{seed}.pth"]


def trap() -> bytes:
    """Returns such a file that touches `touched()` where it is unpickled."""
    return files()["trap.pth"]


def plain_trap() -> bytes:
    """Returns a pickle, without PyTorch's archive around it, that touches a file too."""
    return pickle.dumps({"weight": Trap(touched())})


def write(folder: Path, mark: Path) -> None:
    """Writes all files."""
    import numpy as np
    import torch

    def save(name: str, content: object, how: Callable[..., None] = torch.save) -> None:
        file = io.BytesIO()  # of a named file, torch would write the name into the archive
        how(content, file)
        (folder / name).write_bytes(file.getvalue())

    save("trap.pth", {"weight": Trap(mark)})
    for seed in SEEDS:
        numbers = torch.randn(NUMBERS, generator=torch.Generator().manual_seed(seed))
        save(f"checkpoint-{seed}.pth", {"weight": numbers})
    save("numbers.pth", {"weight": torch.zeros(1), "srocc": np.float64(0.9)})
    save("script.pth", torch.jit.script(torch.nn.Linear(2, 2)), torch.jit.save)


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:]))
