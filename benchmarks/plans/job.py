"""What a job costs besides its passes: python -m benchmarks.plans.job [--metrics ssim,niqe] [--repeats 3] [--json].

A job is `run` on two small images with one step each. Beside it stand a bare Python and `import torch` alone, below
which no job can come.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PR_SET_CHILD_SUBREAPER = 36  # of prctl.h
JOB = ("-m", "pipeline", "run", "--preset", "smoke", "--attacks", "fgsm", "--limit", "2")


class Cost(NamedTuple):
    """What a command took, with all processes that it started."""

    seconds: float  # until it ended
    processor_seconds: float  # of all its processes
    memory: float  # GB that the largest of them held at most

    def best(self, other: Cost) -> Cost:
        """Returns the lowest numbers of two runs: what others did on this machine only adds to them."""
        return Cost(*map(min, self, other))


def cost_of(command: Sequence[str]) -> Cost:
    """Runs a command from the checkout's folder in a process of its own, to which all that it started falls in the end.

    Raises:
        CalledProcessError: If the command fails.
    """
    watching = [sys.executable, "-m", "benchmarks.plans.job", "--watch", *command]
    told = subprocess.run(watching, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return Cost(*json.loads(told.stdout))


def watch(command: Sequence[str]) -> Cost:
    """Runs a command as the process that inherits whatever the command leaves, and waits for all of it.

    The server that forks a job's workers outlives the job by a moment, and the job does not wait for it.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    start, seconds, busy, memory = time.perf_counter(), 0.0, 0.0, 0
    with tempfile.TemporaryFile() as told:
        first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told)
        while True:
            try:
                process, status, used = os.wait4(-1, 0)
            except ChildProcessError:  # the last one has ended
                return Cost(seconds, busy, memory * 1024 / 1e9)
            busy, memory = busy + used.ru_utime + used.ru_stime, max(memory, used.ru_maxrss)
            if process == first.pid:
                seconds = time.perf_counter() - start
                first.returncode = os.waitstatus_to_exitcode(status)
                if first.returncode:
                    told.seek(0)
                    sys.exit(told.read().decode(errors="replace"))


def main() -> None:
    """Prints the lowest cost of a few runs of each, in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", default="ssim", help="names with commas")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    given = parser.parse_args()
    bare = {"python": "pass", "import torch": "import torch"}
    commands = {name: [sys.executable, "-c", code] for name, code in bare.items()}
    found: dict[str, Cost] = {}
    for _ in range(given.repeats):
        with tempfile.TemporaryDirectory() as folder:
            jobs = {
                f"job of {name}": [sys.executable, *JOB, "--metrics", name, "--out", str(Path(folder, name))]
                for name in given.metrics.split(",")
            }
            for name, command in (commands | jobs).items():
                cost = cost_of(command)
                found[name] = cost.best(found.get(name, cost))
    if given.json:
        print(json.dumps([{"what": name, **cost._asdict()} for name, cost in found.items()]))
        return
    print(f"{'':<20}{'seconds':>9}{'processor seconds':>19}{'GB':>7}")
    for name, cost in found.items():
        print(f"{name:<20}{cost.seconds:9.2f}{cost.processor_seconds:19.2f}{cost.memory:7.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--watch"]:
        print(json.dumps(watch(sys.argv[2:])))
    else:
        main()
