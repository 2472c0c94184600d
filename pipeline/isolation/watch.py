"""Has tasks run in worker processes, and watches them: what they report, and whether they end without a verdict."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn, TypeVar

from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.isolation.ending import reason_of_end, reason_of_silence
from metric_robustness.pipeline.isolation.fork_server import ForkedWorker
from metric_robustness.pipeline.isolation.spawner import SpawnedWorker
from metric_robustness.pipeline.isolation.starter import starter
from metric_robustness.pipeline.isolation.worker import Runnable, Said, Send, Verdict

Result = TypeVar("Result")


class LostError(DataError):
    """A process ended without a verdict."""


@dataclass(frozen=True)
class Watched:
    """A task for a process of its own.

    Attributes:
        task: What the process does.
        on_message: Is called, in this process, with what the task reports.
        on_lost: Is called with the reason when the process ends without a verdict; returns what is to be done instead.
    """

    task: Runnable
    on_message: Callable[[Any], None]
    on_lost: Callable[[str], Watched | None]


@dataclass
class _AtWork:
    watched: Watched
    worker: ForkedWorker | SpawnedWorker
    latest: float = field(default_factory=time.monotonic)  # when it last reported something
    reason: str = ""  # why it was killed

    @property
    def sources(self) -> set[Connection | int]:
        """Returns what is ready to be read when there is something to do."""
        connection = self.worker.connection
        return {self.worker.sentinel} | (set() if connection.closed else {connection})

    def listen(self, patience: float) -> bool:
        """Passes on what the worker reported; returns whether it gave its verdict. Kills one that is silent too long.

        Raises:
            BenchError: What the task raised.
        """
        while not self.worker.connection.closed and self.worker.connection.poll():
            try:
                told = self.worker.connection.recv()
            except (EOFError, OSError):
                self.worker.connection.close()  # else it would be ready for ever
                break
            self.latest = time.monotonic()
            if isinstance(told, Verdict):
                if told.error:
                    raise told.error
                return True
            if isinstance(told, Said):
                self.watched.on_message(told.what)
        if time.monotonic() - self.latest > patience and not self.reason:
            self.reason = reason_of_silence(patience)
            self.worker.signal(signal.SIGKILL)
        return False


def watch(tasks: Sequence[Watched], at_once: int = 1, patience: float = math.inf) -> None:
    """Runs tasks in worker processes, one process each.

    Args:
        tasks: The tasks.
        at_once: How many run at a time.
        patience: Seconds in which a task must report something.

    Raises:
        BenchError: What a task raised; the others are stopped then.
    """
    waiting, working = list(tasks), list[_AtWork]()
    try:
        while waiting or working:
            while waiting and len(working) < at_once:
                working.append(_begun(waiting.pop(0)))
            if all(at.worker.code is None for at in working):
                wait(set[Connection | int]().union(*(at.sources for at in working)), _rest(working, patience))
            starter().hear()
            for at in list(working):
                code = at.worker.code  # asked before the connection is emptied, so that nothing is missed
                finished = at.listen(patience)
                if finished or code is not None:
                    working.remove(at)
                    at.worker.connection.close()
                if not finished and code is not None:
                    instead = at.watched.on_lost(at.reason or reason_of_end(code))
                    waiting[:0] = [instead] if instead else []
    finally:
        _stop(working)


def call(subject: str, function: Callable[..., Result], *arguments: Any) -> Result:
    """Returns what a function returns in a worker process.

    Args:
        subject: Who is named when the process ends without a verdict.
        function: A function at the top level of a module.
        arguments: Its arguments.

    Raises:
        LostError: If the process ends without a verdict.
        BenchError: What the function raises.
    """
    found: list[Result] = []

    def on_lost(reason: str) -> NoReturn:
        raise LostError(f"{subject} {reason}")

    watch([Watched(partial(_send_result, function, arguments), found.append, on_lost)])
    return found[0]


def _send_result(function: Callable[..., Any], arguments: tuple[Any, ...], send: Send) -> None:
    send(function(*arguments))


def _begun(watched: Watched) -> _AtWork:
    at = _AtWork(watched, starter().start())
    at.worker.connection.send(watched.task)
    return at


def _rest(working: list[_AtWork], patience: float) -> float | None:
    """Returns the seconds until the first task is silent for too long; None if none ever is."""
    rest = min(at.latest for at in working) + patience - time.monotonic()
    return None if math.isinf(rest) else max(rest, 0) + 0.01


def _stop(working: list[_AtWork]) -> None:
    """Ends workers that have not finished; returns when all have ended, since another run may want their folder."""
    for at in working:
        at.worker.signal(signal.SIGKILL)
    while alive := [at.worker for at in working if at.worker.code is None]:
        wait({worker.sentinel for worker in alive})
        starter().hear()
