"""Opens weight files as their readers would, without running code that they hold.

A process of its own does that, `python -m metric_robustness.pipeline.weights.opening FILE...`, since a damaged
file may kill it. It prints a line of JSON per file.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

PART = ".part"  # behind the name of a file that is still collected
TORCHSCRIPT = "TorchScript"  # a program in a restricted language: safer than a pickle, but more than tensors
NEEDS_MORE = re.compile(r"(?:GLOBAL|Unsupported class) ([\w.]+)")


class Opened(NamedTuple):
    """What a file holds, or why it cannot be used."""

    what: str = ""  # what it holds
    problem: str = ""  # why it cannot be used; empty when it can


def open_all(files: list[Path]) -> Iterator[tuple[Path, Opened]]:
    """Yields what each file holds. A child process opens them; it is started again after a file that crashes it."""
    left = list(files)
    while left:
        command = [sys.executable, "-m", __name__, *(str(file.absolute()) for file in left)]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(
            command, cwd=_import_root(), env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as child:
            for line in child.stdout or ():
                yield left.pop(0), Opened(*json.loads(line))
        if left:
            yield left.pop(0), Opened(problem=f"ends the process that reads it (code {child.returncode})")


def _import_root() -> Path:
    """Returns the folder from which Python finds this module under its name."""
    return Path(__file__).absolute().parents[__name__.count(".")]


def open_file(path: Path) -> Opened:
    """Returns what one file holds, or why it cannot be read."""
    suffix = Path(path.name.removesuffix(PART)).suffix
    reader = READERS.get(suffix, _torch if suffix in TORCH else _bytes)
    try:
        found = reader(path)
    except Exception as error:  # noqa: BLE001  # readers raise all kinds of exceptions on damaged files
        lines = str(error).strip().splitlines() or [type(error).__name__]
        found = Opened(problem=f"cannot be read: {lines[0][:200]}")
    what = _mistaken(path) if found.problem else ""
    return Opened(problem=f"cannot be read: it {what}") if what else found


def _mistaken(path: Path) -> str:
    """Returns what a file is that its reader refuses, where servers send such in its place; empty for any other."""
    with path.open("rb") as file:
        head = file.read(512).lstrip()
    if not path.stat().st_size:
        return "is empty"
    if head[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page"
    if head.startswith(b"\x1f\x8b"):
        return "is a gzip archive"
    return "ends too early" if head.startswith(b"PK\x03\x04") and not zipfile.is_zipfile(path) else ""


def _torch(path: Path) -> Opened:
    import torch  # noqa: PLC0415  # seconds

    from metric_robustness.metrics.weights_adapter import NUMBERS  # noqa: PLC0415

    archive = zipfile.is_zipfile(path)
    if archive:
        with zipfile.ZipFile(path) as file:
            if damaged := file.testzip():
                return Opened(problem=f"is damaged in {damaged}")
            if any(name.endswith("/constants.pkl") for name in file.namelist()):
                return Opened(TORCHSCRIPT)
    try:
        with torch.serialization.safe_globals(NUMBERS):
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except pickle.UnpicklingError as error:
        if match := NEEDS_MORE.search(str(error)):
            return Opened(problem=f"holds more than tensors ({match[1]}), which may run code when it is loaded")
        lines = str(error).rpartition("WeightsUnpickler error:")[2].strip().splitlines()
        return Opened(problem=f"is not tensors only ({lines[0]})")
    return Opened(f"{_count(found)} tensors")


def _count(found: object) -> int:
    if isinstance(found, dict):
        return sum(map(_count, found.values()))
    if isinstance(found, list | tuple):
        return sum(map(_count, found))
    return int(hasattr(found, "requires_grad"))  # counts tensors, not the NumPy numbers beside them


def _safetensors(path: Path) -> Opened:
    from safetensors import safe_open  # noqa: PLC0415

    with safe_open(path, framework="numpy") as file:
        return Opened(f"{len(list(file.keys()))} tensors")


def _matlab(path: Path) -> Opened:
    from scipy.io import loadmat  # noqa: PLC0415

    return Opened(f"{sum(not name.startswith('__') for name in loadmat(path))} arrays")


def _numpy(path: Path) -> Opened:
    import numpy as np  # noqa: PLC0415

    with np.load(path, allow_pickle=False) as file:
        return Opened(f"{len([file[name] for name in file.files])} arrays")


def _json(path: Path) -> Opened:
    json.loads(path.read_text(encoding="utf-8"))
    return Opened("JSON")


def _bytes(path: Path) -> Opened:
    return Opened(problem=f"cannot be read: it {what}") if (what := _mistaken(path)) else Opened("bytes")


TORCH = {".pt", ".pth", ".pkl", ".bin", ".ckpt", ".tar"}
READERS: dict[str, Callable[[Path], Opened]] = {
    ".safetensors": _safetensors,
    ".mat": _matlab,
    ".npz": _numpy,
    ".json": _json,
}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps(open_file(Path(name))), flush=True)
