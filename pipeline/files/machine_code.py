"""Functions as machine code by numba, kept on the disk: one place says how, and what a lost or damaged file costs."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

NumbaCache: Any = FunctionCache  # numba has no types
PLACES = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")  # variables that name a cache folder in place of one at home


class MachineCodeCache(NumbaCache):  # type: ignore[misc]
    """Numba's cache, but for files that cannot be used: numba raises, here the function is compiled anew.

    A file is damaged after a power cut, since numba does not wait for the disk; one of another user may be unreadable;
    the disk may be full.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Returns the machine code for a signature; None if no file holds it, or the file cannot be used."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # noqa: BLE001  # a damaged pickle may raise anything
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Writes machine code to the disk if that is possible; of a damaged index nothing is kept."""
        try:
            super().save_overload(sig, data)
        except Exception:  # noqa: BLE001  # it reads the index first
            with suppress(OSError):
                self.flush()
                super().save_overload(sig, data)


def machine_code(function: Callable[..., Any], **options: Any) -> Any:
    """Returns a function as machine code, cached for the next process.

    The cache lies beside the function's file, or else in the user's cache folder; there is none if neither can be
    written to. A cached file counts as long as the function's file, the processor and numba stay the same. Options must
    therefore stand in the function's file, as numba does not look at them.

    Args:
        function: What numba can compile.
        options: Those of `numba.njit`.
    """
    compiled = numba.njit(**options)(function)
    with suppress(RuntimeError):  # numba raises it where no folder can be written to, pathlib where there is no home
        if not any(os.environ.get(name) for name in PLACES):
            Path.home()  # without one, numba would make a folder of the name ~
        compiled._cache = MachineCodeCache(function)  # as numba does for cache=True
    return compiled
