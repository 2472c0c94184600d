"""Checks an entry in a process of its own, so that one that ends or breaks it fails, and no other entry notices."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.contract import check_entry
from metric_robustness.pipeline.contract.base import Check, decoded, failed
from metric_robustness.pipeline.errors import Exit

ENDED = (
    "its process ended in the middle: never call os._exit, and look for code that crashes Python or needs more memory "
    "than there is"
)


@contextmanager
def checking(entry: Entry, device: str) -> Iterator[Future[list[Check]]]:
    """Begins to check an entry in another process; `result_of` waits for the end.

    The process is a copy of this one, which has imported PyTorch and computed nothing with it.
    """
    decoded()  # here, so that not every process does it
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_begin) as pool:
        yield pool.submit(check_entry, entry, device)


def result_of(future: Future[list[Check]]) -> list[Check]:
    """Returns the checks of an entry.

    Raises:
        BenchError: If this machine has no such device.
    """
    try:
        return future.result()
    except BrokenProcessPool:
        return [failed("be checked to the end", ENDED)]


def _begin() -> None:
    """Makes the process end at once, without a traceback, when the user stops the check."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(Exit.STOPPED))
