"""Processes that need not import PyTorch first: a process that has, and forks one for every call.

Importing it takes longer than most calls of the command line do. What is forked is a process of its own all the same,
which executes our code from its first line on: nothing of the pipeline is loaded before. As a program, this is the
process that forks; it hears of a call, and tells how it ended, in lines of JSON.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import runpy
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Nothing here reads the environment when it is imported, but PyTorch, for OMP_NUM_THREADS.
LOADED = (
    "av",
    "numpy",
    "pandas",
    "PIL.Image",
    "pydantic",
    "rich.progress",
    "scipy.stats",
    "torch",
    "torchvision",
    "typer",
)


@dataclass(frozen=True)
class Zygote:
    """The process that forks."""

    process: subprocess.Popen[str]

    @classmethod
    def begin(cls, threads: str) -> Zygote:
        """Starts it; its calls have this OMP_NUM_THREADS."""
        environment = os.environ | {"OMP_NUM_THREADS": threads}
        process = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(process.kill)
        return cls(process)

    def call(
        self, arguments: list[str], cwd: Path, environment: dict[str, str], *, largest_file: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs `python -m pipeline ARGUMENTS` to its end; its files may grow to `largest_file` bytes."""
        assert self.process.stdin
        assert self.process.stdout
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "stdout"), Path(folder, "stderr")
            call = {
                "arguments": arguments,
                "cwd": str(cwd),
                "environment": environment,
                "largest_file": largest_file,
                "out": str(out),
                "err": str(err),
            }
            print(json.dumps(call), file=self.process.stdin, flush=True)
            code = int(self.process.stdout.readline())
            texts = [file.read_text(encoding="utf-8") for file in (out, err)]
        return subprocess.CompletedProcess(arguments, code, *texts)


def become(call: dict[str, Any]) -> None:
    """Makes this process the one that was called for."""
    os.setsid()
    os.chdir(call["cwd"])
    os.environ.clear()
    os.environ.update(call["environment"])
    for name, descriptor, flags in (
        (os.devnull, 0, os.O_RDONLY),
        (call["out"], 1, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (call["err"], 2, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    if call["largest_file"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (call["largest_file"],) * 2)
    sys.argv = ["pipeline", *call["arguments"]]
    sys.path[0] = call["cwd"]


def main() -> None:
    """Forks until nobody asks any more."""
    for name in LOADED:
        __import__(name)
    told = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        call = json.loads(line)
        child = os.fork()
        if child == 0:
            told.close()
            become(call)
            runpy.run_module("pipeline", run_name="__main__", alter_sys=True)
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=told, flush=True)


if __name__ == "__main__":
    main()
