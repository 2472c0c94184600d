"""A copy of the checkout that a test may change, and the command line as a user calls it there."""

from __future__ import annotations

import compileall
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

from zygote import Forked, Zygote

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "metric_robustness"

# Metrics on which an attack takes milliseconds.
BRIGHTNESS = '''
"""Brightness: mean of the squared values, weighed by what stands across."""

from metric_robustness.metrics.base import Images, NoReference, Scores


class Brightness(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images) -> Scores:
        return (images.square() * (1 + images.flip(3))).mean(dim=(1, 2, 3))
'''
DISTANCE = '''
"""Distance: mean squared difference from the original, the lower the better."""

from metric_robustness.metrics.base import FullReference, Images, Scores


class Distance(FullReference):
    higher_is_better = False
    score_range = (0.0, 0.01)

    def score(self, images: Images, references: Images) -> Scores:
        return (images - references).square().mean(dim=(1, 2, 3))
'''
# Writes a byte into $TALLY for every call, and kills the whole run at call number $KILL_AT; $PAUSE slows it down.
TALLY = '''
"""Tally: brightness that counts its calls."""

import os
import signal
import time

from metric_robustness.metrics.base import Images, NoReference, Scores


class Tally(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images) -> Scores:
        with open(os.environ["TALLY"], "ab", buffering=0) as tally:
            tally.write(b"x")
            if tally.tell() == int(os.environ.get("KILL_AT", "-1")):
                os.killpg(0, signal.SIGKILL)
        time.sleep(float(os.environ.get("PAUSE", "0")))
        return (images.square() * (1 + images.flip(3))).mean(dim=(1, 2, 3))
'''


@dataclass(frozen=True)
class Tree:
    """A checkout with the base modules, the attacks and the pipeline, but no metric except those that tests write."""

    root: Path

    @classmethod
    def copy_to(cls, root: Path) -> Tree:
        """Copies the checkout's code below a new folder, with what Python and numba compiled of it."""
        compile_checkout()
        unfinished = shutil.ignore_patterns("*.pyc.*", "*.tmp.*")  # another process writes and renames them just now
        for folder in ("pipeline", "attacks"):
            shutil.copytree(ROOT / folder, root / folder, ignore=unfinished)
        shutil.copytree(ROOT / PACKAGE, root / PACKAGE, symlinks=True)  # the copied links lead to the copied folders
        for folder in ("metrics", "defences"):
            (root / folder).mkdir()
            for name in ("__init__.py", "base.py"):
                shutil.copy(ROOT / folder / name, root / folder)
        shutil.copy(ROOT / "metrics" / "weights_adapter.py", root / "metrics")  # the pipeline reads weights with it
        return cls(root)

    def write(self, path: str, text: str) -> Path:
        """Writes a file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return file

    def start(self, *arguments: object, largest_file: int | None = None, **environment: str) -> subprocess.Popen[str]:
        """Starts `python -m pipeline ARGUMENTS`; its files may grow to `largest_file` bytes."""

        def restrict() -> None:
            if largest_file is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *map(str, arguments)],
            cwd=self.root,
            env=self.environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=restrict,  # noqa: PLW1509  # no other thread holds a lock here
        )

    def fork(self, *arguments: object, **environment: str) -> Forked:
        """Starts `python -m pipeline ARGUMENTS` from a process that has imported PyTorch."""
        return zygote().start(list(map(str, arguments)), self.root, self.environment(environment))

    def call(
        self, *arguments: object, largest_file: int | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs `python -m pipeline ARGUMENTS` to its end; fails on a traceback, since errors must be one line."""
        told = zygote().call(
            list(map(str, arguments)), self.root, self.environment(environment), largest_file=largest_file
        )
        assert "Traceback" not in told.stdout + told.stderr, told.stdout + told.stderr
        return told

    @staticmethod
    def environment(further: dict[str, str]) -> dict[str, str]:
        """Returns the environment of a call."""
        return os.environ | {"COLUMNS": "120", "OMP_NUM_THREADS": "1"} | further


@cache
def compile_checkout() -> None:
    """Compiles what copies take along: a job in a fresh copy would spend half a second on it, and throw it away."""
    for folder in ("pipeline", "attacks"):
        compileall.compile_dir(ROOT / folder, quiet=2)


@cache
def zygote() -> Zygote:
    """Returns the server that forks the calls."""
    return Zygote.begin()
