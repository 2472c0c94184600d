"""Runs independent pieces of work in several processes, if that saves more time than starting the processes costs."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, TypeVar

from metric_robustness.pipeline.errors import TransientError
from metric_robustness.pipeline.isolation.worker import end_with

WORTH = 500_000  # rows: to read or resample as many takes several seconds, longer than starting processes

Result = TypeVar("Result")


class Processes:
    """Runs a function over arguments as `map` does; the results do not depend on the number of processes.

    One process per processor starts with the first work that is large enough; all end with the `with` block.

    Args:
        processors: How many processors to use; by default all that this process is allowed to use.
        worth: The number of rows from which on processes are started; fewer are worked through in this process.
    """

    def __init__(self, processors: int | None = None, worth: int = WORTH) -> None:
        self.processors = processors or len(os.sched_getaffinity(0))
        self.worth = worth
        self.pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Processes:
        """Returns this object; no process starts before `map` needs one."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ends the processes."""
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[..., Result], jobs: Sequence[tuple[Any, ...]], rows: int) -> list[Result]:
        """Returns what a function returns for each job, in the order of the jobs.

        Args:
            function: A function at the top level of a module, since the processes import it by its name.
            jobs: The positional arguments of each call.
            rows: How many rows of cells all jobs together read or resample.

        Raises:
            TransientError: If a process was killed, as the system does when memory runs out.
        """
        if min(len(jobs), self.processors) < 2 or rows < self.worth:
            return [function(*job) for job in jobs]
        if self.pool is None:  # spawned: a fork would copy locks that threads hold, but not the threads
            self.pool = ProcessPoolExecutor(
                self.processors,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=end_with,  # else processes of one that is killed wait for more work for ever
                initargs=(os.getpid(),),
            )
        try:
            return list(self.pool.map(function, *zip(*jobs, strict=True)))
        except BrokenProcessPool as error:
            raise TransientError(
                "a process that scores rows was killed, most likely for want of memory: free some, or use fewer "
                "processors (taskset -c 0), and run again"
            ) from error
