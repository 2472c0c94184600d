"""Reading of downloaded weights: tensors only, seeded, and what fails is said in one line."""

from __future__ import annotations

import contextlib
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from scipy.io.matlab import MatReadError
from torch import Tensor

# What the readers of weight files raise when a file is cut off, holds something else or cannot be downloaded.
UNREADABLE = (
    *(OSError, EOFError, LookupError, TypeError, ValueError, RuntimeError),
    *(pickle.UnpicklingError, SafetensorError, MatReadError, zipfile.BadZipFile),
)

# What a file may hold beside tensors: NumPy's numbers, such as the correlations that a training reached. They run no
# code; older files call their class by its older name.
_UNPICKLED: Any = np.float64().__reduce__()[0]
NUMBERS: list[Any] = [_UNPICKLED, (_UNPICKLED, "numpy.core.multiarray.scalar"), np.dtype, type(np.dtype(np.float64))]


@contextlib.contextmanager
def loading(what: str, weights: tuple[str, ...]) -> Iterator[None]:
    """Surrounds the construction of a network: seeded, tensors only are read, and what fails is said in one line.

    Args:
        what: What is built, as the error names it.
        weights: The declared files.

    Raises:
        ValueError: If a weights file is missing, damaged, of another architecture or holds more than tensors.
    """
    try:
        with torch.random.fork_rng(devices=[]), _tensors_only():
            torch.manual_seed(0)
            yield
    except UNREADABLE as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"{what} must be built from {' and '.join(weights) or 'no file'}; "
            f"got {type(error).__name__}: {reason}: fetch them again with python -m pipeline weights fetch"
        ) from error


@contextlib.contextmanager
def _tensors_only() -> Iterator[None]:
    """Lets torch.load read tensors only: pyiqa asks for full unpickling, which runs whatever code a file holds."""
    load = torch.load
    torch.load = lambda *args, **options: load(*args, **(options | {"weights_only": True}))
    try:
        yield
    finally:
        torch.load = load


def read_state(weights: str) -> dict[str, Tensor]:
    """Returns the tensors of a file below torch's hub folder, by name; numbers may stand beside them.

    Args:
        weights: As an entry declares it, `hub/checkpoints/FILE`.
    """
    path = Path(torch.hub.get_dir()) / weights.removeprefix("hub/")
    with torch.serialization.safe_globals(NUMBERS):
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
