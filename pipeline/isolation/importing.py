"""Imports without looking for garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keeps the garbage collector away from what is imported meanwhile.

    Modules stay until the end, and to look for garbage among what they create takes a fifth of PyTorch's import.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
