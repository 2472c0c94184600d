"""A server that has imported PyTorch and forks a process for every call, so that no call has to import it.

The import takes longer than most calls of the command line do. A forked process still executes our code from its first
line on: the server loads nothing of the pipeline. As a program, `zygote.py SOCKET` is the server, and `zygote.py SOCKET
-m MODULE ARGUMENTS` stands for `python -m MODULE ARGUMENTS`, for the pipeline and for the reader of weight files that a
call starts.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import resource
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# Of these only PyTorch reads a variable that tests set, OMP_NUM_THREADS. huggingface_hub reads HF_HOME: it is not here.
LOADED = (
    *("av", "cv2", "numba", "numpy", "pandas", "PIL.Image", "psutil", "pydantic", "requests", "rich.progress"),
    *("safetensors.torch", "scipy.stats", "torch", "torchvision", "typer", "yaml"),
)
MODULES = (
    "pipeline",
    "metric_robustness.pipeline.weights.opening",
)  # what is executed here; the second is a child of it
LENGTH = 8  # bytes that hold the length of a message


@dataclass
class Forked:
    """A process that the server forked, with what tests ask of `subprocess.Popen`."""

    pid: int
    connection: socket.socket
    texts: tuple[IO[str], IO[str]]  # what it prints, and its errors
    returncode: int | None = None

    def poll(self) -> int | None:
        """Returns the exit code, negative if it was killed; None while it runs."""
        if self.returncode is None and select.select([self.connection], [], [], 0)[0]:
            self.returncode = end_of(self.connection)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> list[str]:
        """Waits for the end; returns what was printed, and the errors."""
        if self.returncode is None:
            if not select.select([self.connection], [], [], timeout)[0]:
                raise TimeoutError(f"process {self.pid} is still running after {timeout} s")
            self.poll()
        told = [file.seek(0) or file.read() for file in self.texts]
        for file in self.texts:
            file.close()
        return told

    def kill(self) -> None:
        """Kills the process."""
        os.kill(self.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Zygote:
    """The server, for calls with one OMP_NUM_THREADS."""

    address: Path

    @classmethod
    def begin(cls, threads: int = 1) -> Zygote:
        """Starts a server that ends with this process."""
        folder = tempfile.TemporaryDirectory()
        address = Path(folder.name, "socket")
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        server = subprocess.Popen([sys.executable, __file__, str(address)], env=environment, stdin=subprocess.PIPE)
        atexit.register(folder.cleanup)
        atexit.register(server.kill)  # without this call, the end of its input ends it
        while not address.exists():
            assert server.poll() is None, "the server died"
            time.sleep(0.05)
        return cls(address)

    def start(
        self,
        arguments: list[str],
        cwd: Path,
        environment: dict[str, str],
        *,
        largest_file: int | None = None,
        module: str = MODULES[0],
    ) -> Forked:
        """Starts `python -m MODULE ARGUMENTS`; its files may grow to `largest_file` bytes."""
        texts = (tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+"))  # noqa: SIM115  # closed once read
        with Path(os.devnull).open() as nothing:
            streams = [file.fileno() for file in (nothing, *texts)]
            connection, pid = begin(
                self.address, [module, *arguments], str(cwd), environment, streams, largest=largest_file
            )
        return Forked(pid, connection, texts)

    def call(
        self, arguments: list[str], cwd: Path, environment: dict[str, str], **how: Any
    ) -> subprocess.CompletedProcess[str]:
        """Does what `start` does, and waits for the end."""
        forked = self.start(arguments, cwd, environment, **how)
        texts = forked.communicate()
        return subprocess.CompletedProcess(arguments, forked.returncode, *texts)

    def write_python(self, folder: Path) -> Path:
        """Writes a program `python`, for which the server executes what it can; returns the folder."""
        write_python(folder / "python", self.address)
        return folder


def write_python(program: Path, address: Path) -> None:
    """Writes a program that hands its call to the server, or to Python where the server does not know the module."""
    words = shlex.join([sys.executable, "-S", "-E", str(Path(__file__).resolve()), str(address)])
    known = "|".join(f'"-m {module}"' for module in MODULES)
    program.write_text(
        f'#!/bin/sh\ncase "$1 $2" in {known}) exec {words} "$@" ;; esac\nexec {shlex.quote(sys.executable)} "$@"\n'
    )
    program.chmod(0o755)


def begin(
    address: Path,
    words: list[str],
    cwd: str,
    environment: dict[str, str],
    streams: list[int],
    *,
    largest: int | None = None,
) -> tuple[socket.socket, int]:
    """Has the server execute a module, the first of the words; returns the connection to it, and its number."""
    message = json.dumps([words, cwd, environment, largest]).encode()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(address))
    socket.send_fds(connection, [len(message).to_bytes(LENGTH)], streams)
    connection.sendall(message)
    return connection, int.from_bytes(connection.recv(LENGTH))


def end_of(connection: socket.socket) -> int:
    """Waits for the end of a process; returns its exit code, negative if it was killed."""
    with connection:
        told = connection.recv(1)
    return told[0] if told else -signal.SIGKILL


def serve(address: str) -> None:
    """Forks a process for every call, until the process that started the server ends."""
    program = Path(f"{address}.python")
    write_python(program, Path(address))
    for name in LOADED:
        __import__(name)
    warm_numba()
    gc.freeze()  # the garbage collector of a fork skips what it shares
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that ended forks leave no zombies
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{address}.new")
        listening.listen()
        Path(f"{address}.new").rename(address)
        while listening in select.select([listening, sys.stdin], [], [])[0]:  # else the starter is gone
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                sys.executable = str(program)  # a call that starts the reader of weight files finds PyTorch there, too
                become_what_is_called(connection)
            connection.close()


def warm_numba() -> None:
    """Has numba build its tables, which takes it .4 s before the first compiled function of a process."""
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


def become_what_is_called(connection: socket.socket) -> None:
    """Executes a module in this process and ends it, sending the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    length, streams, _, _ = socket.recv_fds(connection, LENGTH, 3)
    message = b""
    while len(message) < int.from_bytes(length):
        message += connection.recv(1 << 20)
    (module, *arguments), cwd, environment, largest = json.loads(message)
    for number, opened in enumerate(streams):
        os.dup2(opened, number)
        os.close(opened)
    connection.sendall(os.getpid().to_bytes(LENGTH))
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    sys.argv = [module, *arguments]
    sys.path[:1] = [cwd, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    leave(executed(module), connection)


def executed(module: str) -> int:
    """Executes a module; returns the exit code."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  # as Python itself does
        traceback.print_exc()
        return 1
    return 0


def leave(code: int, connection: socket.socket) -> None:
    """Ends the process as Python would, but does not take PyTorch's modules apart, which takes seconds."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.send(bytes([code]))
    os._exit(code)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        sys.exit(serve(sys.argv[1]))
    code = end_of(begin(Path(sys.argv[1]), sys.argv[3:], str(Path.cwd()), dict(os.environ), [0, 1, 2])[0])
    sys.exit(code if code >= 0 else 128 - code)  # as a shell reports a signal
