"""A process that has imported what tasks need, and forks the workers: none of them has to import it again."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle, send_handle
from typing import NoReturn, TypeAlias

from metric_robustness.pipeline.errors import TransientError
from metric_robustness.pipeline.isolation.interrupt import interrupt_put_off
from metric_robustness.pipeline.isolation.worker import be_first_to_go, end_with, print_aside, work

# Asks the server to fork a worker, to send a process a signal, or to import modules.
Order: TypeAlias = tuple[int, int] | list[str] | None


class ForkServer:
    """The server of this process; it ends, with all workers, when this process does.

    It is forked before PyTorch has computed anything and before any thread is there, since a fork copies the locks that
    threads hold, but not the threads.
    """

    def __init__(self) -> None:
        ours, theirs = Pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        with interrupt_put_off():  # until the server ignores it
            if os.fork() == 0:
                try:
                    ours.close()
                    gc.freeze()  # the garbage collector of a worker leaves the memory that it shares as it is
                    end_with(parent)
                    print_aside()
                    _serve(theirs)
                finally:
                    os._exit(1)
        theirs.close()
        self.control = ours
        self.ended: dict[int, int] = {}  # process -> exit code, negative if a signal killed it

    def prepare(self, modules: Sequence[str]) -> None:
        """Has the server import modules that workers will need, and goes on meanwhile."""
        with interrupt_put_off():
            self._send(list(modules))

    def start(self) -> ForkedWorker:
        """Returns a new worker."""
        with interrupt_put_off():
            self._send(None)
            while True:
                process, code = self._receive()
                if code is None:
                    self.ended.pop(process, None)  # of an earlier worker with this number
                    return ForkedWorker(self, process, Connection(recv_handle(self.control)))
                self.ended[process] = code

    def hear(self) -> None:
        """Notes which workers have ended.

        Whoever waits for the end of one asks what is known of it first: the end of another may have been heard with it.
        """
        with interrupt_put_off():
            while self.control.poll():
                process, code = self._receive()
                if code is not None:
                    self.ended[process] = code

    def signal(self, process: int, number: int) -> None:
        """Sends a signal to a worker, unless it has ended."""
        with interrupt_put_off():
            self._send((process, number))

    def _send(self, order: Order) -> None:
        try:
            self.control.send(order)
        except OSError as error:
            raise _gone() from error

    def _receive(self) -> tuple[int, int | None]:
        try:
            process, code = self.control.recv()
        except (EOFError, OSError) as error:
            raise _gone() from error
        return process, code


class ForkedWorker:
    """A worker that the server forked.

    Attributes:
        connection: Takes the task, and brings what it reports.
        sentinel: Is ready to be read when a worker has ended.
    """

    def __init__(self, server: ForkServer, process: int, connection: Connection) -> None:
        self.server, self.process, self.connection = server, process, connection
        self.sentinel = server.control

    @property
    def code(self) -> int | None:
        """Returns the exit code, negative if a signal killed the worker; None while its end was not heard of."""
        return self.server.ended.get(self.process)

    def signal(self, number: int) -> None:
        """Sends the worker a signal."""
        self.server.signal(self.process, number)


def _gone() -> TransientError:
    return TransientError("the process that forks workers was killed: run again")


def _serve(control: Connection) -> NoReturn:
    """Forks a worker for every order, and tells how each ended, until the process that gives orders ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that gives orders decides
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # so that the end of a worker writes to `wake`
    running: set[int] = set()
    while True:
        ready = wait([control, woken])
        if woken in ready:
            os.read(woken, 1 << 10)
            _tell_ended(running, control)
        if control not in ready:
            continue
        try:
            order = control.recv()
        except (EOFError, OSError):
            for process in running:
                os.kill(process, signal.SIGKILL)
            os._exit(0)
        if order is None:
            running.add(_fork(control, (woken, wake)))
        elif isinstance(order, list):
            for module in order:
                with suppress(Exception):  # the worker that needs it will say why it does not import
                    importlib.import_module(module)
            gc.freeze()
        elif order[0] in running:
            os.kill(*order)


def _tell_ended(running: set[int], control: Connection) -> None:
    for process in list(running):
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            running.remove(process)
            with suppress(OSError):
                control.send((process, os.waitstatus_to_exitcode(status)))


def _fork(control: Connection, pipe: tuple[int, int]) -> int:
    """Forks a worker, and sends its number and our end of its connection."""
    ours, theirs = Pipe()
    server = os.getpid()
    process = os.fork()
    if process == 0:
        try:
            end_with(server)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ours.close()
            control.close()
            for end in pipe:
                os.close(end)
            be_first_to_go()
            work(theirs)
        finally:
            os._exit(1)
    theirs.close()
    with ours, suppress(OSError):
        control.send((process, None))
        send_handle(control, ours.fileno(), os.getppid())
    return process
