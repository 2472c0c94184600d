"""What a worker process does: it runs one task, and sends what the task reports and how it ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, TypeAlias

from metric_robustness.pipeline.errors import BenchError, Exit

Send: TypeAlias = Callable[[Any], None]
Runnable: TypeAlias = Callable[[Send], None]  # reports by calling what it is given; both can be sent to another process

PR_SET_PDEATHSIG = 1  # of prctl.h
FIRST_TO_GO = 500  # of 1000: short of memory, the kernel kills a worker, not the process that watches it


class Said(NamedTuple):
    """What a task reports on its way."""

    what: Any


class Verdict(NamedTuple):
    """How a task ended: the error that it raised, if any. A process that ends without a verdict was ended by it."""

    error: Exception | None = None


def work(connection: Connection) -> None:
    """Runs the task that the connection brings, then ends this process."""
    # On Ctrl-C at once: what the interrupt would raise in the middle of contributed code cannot be foretold.
    signal.signal(signal.SIGINT, lambda *_: os._exit(Exit.STOPPED))
    code: object = Exit.DONE
    with suppress(OSError, EOFError):  # whoever watches is gone
        try:
            connection.send(_verdict(connection.recv(), connection))
        except SystemExit as end:
            code = end.code
        except KeyboardInterrupt:
            code = Exit.STOPPED
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    # Nothing is taken apart: PyTorch's modules would take seconds, and contributed code could hang here.
    os._exit(code if isinstance(code, int) else int(code is not None))


def _verdict(task: Runnable, connection: Connection) -> Verdict:
    try:
        task(lambda what: connection.send(Said(what)))
    except BenchError as error:
        return Verdict(error)
    except Exception:  # noqa: BLE001  # it is raised again where the worker is watched; itself it may not be sent
        return Verdict(RuntimeError(traceback.format_exc()))
    return Verdict()


def end_with(parent: int) -> None:
    """Makes this process end at once when the one that started it does, even by `kill -9`."""
    with suppress(OSError, AttributeError):  # elsewhere than on Linux the end of the connection must do
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(Exit.STOPPED)


def be_first_to_go() -> None:
    """Offers this process to the kernel when memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_GO), encoding="ascii")


def print_aside() -> None:
    """Has this process and what it starts print to standard error, since standard output is for a command's answer.

    Entries and their libraries print as they like, and programs read what `--json` prints.
    """
    with suppress(OSError):  # the caller closed one of the two
        os.dup2(2, 1)
    sys.stdout = sys.stderr


def work_spawned(connection: Connection) -> None:
    """Runs the task in a process that was spawned, and so was not forked by one that ends it."""

    def wait_for_parent() -> None:
        if parent := parent_process():
            parent.join()
            os._exit(Exit.STOPPED)

    Thread(target=wait_for_parent, daemon=True).start()
    print_aside()
    be_first_to_go()
    work(connection)
