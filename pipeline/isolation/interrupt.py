"""Ctrl-C put off, where half of an exchange between two processes would leave them waiting for each other."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupt_put_off() -> Iterator[None]:
    """Has Ctrl-C take effect at the end of the block, not within it.

    Only the main thread is ever interrupted: in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    put_off: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: put_off.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if put_off:
        signal.raise_signal(signal.SIGINT)
