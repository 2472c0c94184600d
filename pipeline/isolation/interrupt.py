"""Ctrl-C, where Python alone would lose it, or where half of an exchange would leave two processes waiting for ever."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 0.05  # after which a lost Ctrl-C is pressed again


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
        if put_off:  # also where the block raises: the user wants to stop
            signal.raise_signal(signal.SIGINT)


def press_lost_interrupts_again() -> None:
    """Has Ctrl-C take effect a moment later where Python prints it and goes on, for the rest of this process.

    Python does so where nothing can be raised: in what is called at a fork, by a compiled library or by the garbage
    collector.
    """
    shown, main = sys.unraisablehook, threading.get_ident()

    def press_again(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            shown(lost)
            return
        again = threading.Timer(SECONDS, signal.pthread_kill, (main, signal.SIGINT))
        again.daemon = True
        again.start()

    sys.unraisablehook = press_again
