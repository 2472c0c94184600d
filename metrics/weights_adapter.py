"""Reads downloaded weights: tensors only, with a fixed seed, and one line of error."""

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

# What readers of weight files raise when a file is truncated, holds something else or cannot be downloaded.
UNREADABLE = (
    *(OSError, EOFError, LookupError, TypeError, ValueError, RuntimeError),
    *(pickle.UnpicklingError, SafetensorError, MatReadError, zipfile.BadZipFile),
)

# NumPy's numbers, which some files hold as well as tensors, such as the correlations that a training reached. Reading
# them runs no code. Older files use the older name of their class.
_UNPICKLED: Any = np.float64().__reduce__()[0]
NUMBERS: list[Any] = [_UNPICKLED, (_UNPICKLED, "numpy.core.multiarray.scalar"), np.dtype, type(np.dtype(np.float64))]


@contextlib.contextmanager
def loading(what: str, weights: tuple[str, ...]) -> Iterator[None]:
    """A context for building a network: fixes the seed, reads tensors only, and reports failures in one line.

    Args:
        what: What the error calls the network.
        weights: The files that the entry declares.

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
    """Makes torch.load read tensors only; pyiqa asks for full unpickling, which runs any code in a file."""
    load = torch.load
    torch.load = lambda *args, **options: load(*args, **(options | {"weights_only": True}))
    try:
        yield
    finally:
        torch.load = load


def read_state(weights: str) -> dict[str, Tensor]:
    """Returns the tensors, by name, of a file below torch's hub folder; numbers may be among them.

    Args:
        weights: The path as an entry declares it, `hub/checkpoints/FILE`.
    """
    path = Path(torch.hub.get_dir()) / weights.removeprefix("hub/")
    with torch.serialization.safe_globals(NUMBERS):
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
