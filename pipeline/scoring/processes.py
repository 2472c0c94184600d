"""Runs independent pieces of work in several processes, where they are large enough to repay starting those."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, TypeVar

from metric_robustness.pipeline.errors import TransientError

WORTH = 500_000  # rows to read or resample: several seconds of work

Result = TypeVar("Result")


class Processes:
    """Runs a function over arguments as `map` does; the results do not depend on the number of processes.

    One process per processor starts with the first work that is large enough; all end with the `with` block.

    Args:
        processors: How many to use; by default as many as this process may.
        worth: The number of rows from which processes are started.
    """

    def __init__(self, processors: int | None = None, worth: int = WORTH) -> None:
        self.processors = processors or len(os.sched_getaffinity(0))
        self.worth = worth
        self.pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Processes:
        """Starts nothing yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ends the processes."""
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[..., Result], jobs: Sequence[tuple[Any, ...]], rows: int) -> list[Result]:
        """Returns what a function returns for each of the jobs, in their order.

        Args:
            function: Of a module, since processes import it by its name.
            jobs: Its arguments.
            rows: How many rows of cells the work is about.

        Raises:
            TransientError: If a process was killed, as where memory is short.
        """
        if min(len(jobs), self.processors) < 2 or rows < self.worth:
            return [function(*job) for job in jobs]
        if self.pool is None:  # not forked: a library's threads would not come along, but their locks would
            self.pool = ProcessPoolExecutor(self.processors, mp_context=multiprocessing.get_context("spawn"))
        try:
            return list(self.pool.map(function, *zip(*jobs, strict=True)))
        except BrokenProcessPool as error:
            raise TransientError(
                "a process that scores rows was killed, most likely for want of memory: free some, or use fewer "
                "processors (taskset -c 0), and run again"
            ) from error
