"""Runs jobs in this process, or several at once in processes of their own, which end when this one does."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.managers import SyncManager
from threading import Thread
from typing import Any

import psutil
import torch

from pipeline.engine.job import Job, Tell, run_job
from pipeline.errors import Exit, TransientError


def dispatch(jobs: list[Job], at_once: int, tell: Tell) -> None:
    """Runs the jobs, here one after another or in worker processes.

    Raises:
        TransientError: If the machine failed, or a worker was killed.
        BenchError: If the output folder cannot be written to.
    """
    if at_once == 1 or len(jobs) <= 1:
        for job in jobs:
            run_job(job, tell)
        return
    context = multiprocessing.get_context("spawn")
    manager = SyncManager(ctx=context)
    manager.start(_end_with_parent)
    with manager:
        channel: Any = manager.Queue()
        with ProcessPoolExecutor(at_once, mp_context=context, initializer=_begin_worker) as pool:
            futures = [pool.submit(_run_in_worker, job, channel) for job in jobs]
            try:
                _relay(futures, channel, tell)
            except BrokenProcessPool as error:
                raise TransientError(
                    "a worker process was killed, probably for memory: run again with fewer --jobs or a smaller --batch"
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)


def _relay(futures: list[Future[None]], channel: Any, tell: Tell) -> None:
    """Passes on what the workers tell until all have ended."""
    ended = False
    while not ended:
        ended = all(future.done() for future in futures)  # asked before the channel is emptied, so nothing is missed
        with suppress(queue.Empty):
            while True:
                tell(channel.get(timeout=0.2))
        for future in futures:
            if future.done():
                future.result()


def _begin_worker() -> None:
    """Makes a worker end at once, without a word, when the user stops the run."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(Exit.STOPPED))
    _end_with_parent()


def _end_with_parent() -> None:
    """Ends this process when the run that started it is gone, even by `kill -9`: the next run may hold its folder."""

    def wait_for_parent() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(Exit.STOPPED)

    Thread(target=wait_for_parent, daemon=True).start()


def _run_in_worker(job: Job, channel: Any) -> None:
    torch.set_num_threads(max(1, (psutil.cpu_count() or 1) // job.request.jobs))
    run_job(job, channel.put)
