"""Workers that import everything themselves, for platforms and processes in which a fork is not safe."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from contextlib import suppress

from metric_robustness.pipeline.isolation.worker import work_spawned


class Spawner:
    """Starts workers as fresh interpreters."""

    def prepare(self, modules: Sequence[str]) -> None:
        """Does nothing: every worker imports for itself."""

    def hear(self) -> None:
        """Does nothing: every worker is asked whether it has ended."""

    def start(self) -> SpawnedWorker:
        """Returns a new worker."""
        return SpawnedWorker()


class SpawnedWorker:
    """A worker that was spawned.

    Attributes:
        connection: Takes the task, and brings what it reports.
        sentinel: Is ready to be read when the worker has ended.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work_spawned, args=(theirs,))
        self.process.start()
        theirs.close()
        self.sentinel = self.process.sentinel

    @property
    def code(self) -> int | None:
        """Returns the exit code, negative if a signal killed the worker; None while it runs."""
        return self.process.exitcode

    def signal(self, number: int) -> None:
        """Sends the worker a signal, unless it has ended."""
        if self.process.is_alive() and self.process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)
