"""Runs jobs side by side in processes of their own, which end when this one does."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.managers import SyncManager
from threading import Thread
from typing import Any, TypeAlias

import psutil

from metric_robustness.pipeline.engine.progress import OnEvent
from metric_robustness.pipeline.errors import Exit, TransientError

Runnable: TypeAlias = Callable[[OnEvent], None]


def in_processes(jobs: list[Runnable], at_once: int, on_event: OnEvent) -> None:
    """Runs jobs in worker processes.

    Args:
        jobs: Each can be sent to another process.
        at_once: How many run at a time; they share the processor's cores.
        on_event: Is called in this process with what the jobs report.

    Raises:
        TransientError: If the machine failed, or a worker was killed.
        BenchError: If the output folder cannot be written to.
    """
    context = multiprocessing.get_context("spawn")
    manager = SyncManager(ctx=context)
    manager.start(_end_with_parent)
    with manager:
        channel: Any = manager.Queue()
        with ProcessPoolExecutor(at_once, mp_context=context, initializer=_begin_worker) as pool:
            futures = [pool.submit(_work, job, at_once, channel) for job in jobs]
            try:
                _relay(futures, channel, on_event)
            except BrokenProcessPool as error:
                raise TransientError(
                    "a worker process was killed, probably for memory: run again with fewer --jobs or a smaller --batch"
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)


def _relay(futures: list[Future[None]], channel: Any, on_event: OnEvent) -> None:
    """Passes on what the workers report until all have ended."""
    ended = False
    while not ended:
        ended = all(future.done() for future in futures)  # asked before the channel is emptied, so nothing is missed
        with suppress(queue.Empty):
            while True:
                on_event(channel.get(timeout=0.2))
        for future in futures:
            if future.done():
                future.result()


def _begin_worker() -> None:
    """Makes a worker end at once, without a traceback, when the user stops the run."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(Exit.STOPPED))
    _end_with_parent()


def _end_with_parent() -> None:
    """Ends this process when the run that started it is gone, even by `kill -9`: the next run may hold its folder."""

    def wait_for_parent() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(Exit.STOPPED)

    Thread(target=wait_for_parent, daemon=True).start()


def _work(job: Runnable, at_once: int, channel: Any) -> None:
    import torch  # noqa: PLC0415  # the process that holds the channel imports this module, and needs no PyTorch

    torch.set_num_threads(max(1, (psutil.cpu_count() or 1) // at_once))
    job(channel.put)
