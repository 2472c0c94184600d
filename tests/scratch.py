"""A copy of the checkout that a test may change, and the command line as a user calls it there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parent.parent
# One colour each way, so that attacks on them take milliseconds.
BRIGHTNESS = '''
"""Brightness: the mean of all values."""

from metrics.base import Images, NoReference, Scores


class Brightness(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images) -> Scores:
        return images.square().mean(dim=(1, 2, 3))
'''
DISTANCE = '''
"""Distance: mean squared difference from the original, the lower the better."""

from metrics.base import FullReference, Images, Scores


class Distance(FullReference):
    higher_is_better = False
    score_range = (0.0, 0.01)

    def score(self, images: Images, references: Images) -> Scores:
        return (images - references).square().mean(dim=(1, 2, 3))
'''


@dataclass(frozen=True)
class Tree:
    """A checkout with the base modules, the attacks and the pipeline, but no metric except those that tests write."""

    root: Path

    @classmethod
    def copy_to(cls, root: Path) -> Tree:
        """Copies the checkout's code below a new folder."""
        ignored = shutil.ignore_patterns("__pycache__", "weights", "[a-z]*.py")
        shutil.copytree(ROOT / "pipeline", root / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "attacks", root / "attacks", ignore=shutil.ignore_patterns("__pycache__"))
        for folder in ("metrics", "defences"):
            shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
            shutil.copy(ROOT / folder / "base.py", root / folder)
        return cls(root)

    def write(self, path: str, text: str) -> Path:
        """Writes a file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return file

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """Starts `python -m pipeline ARGUMENTS` and returns the process."""
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *map(str, arguments)],
            cwd=self.root,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "120"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def call(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs `python -m pipeline ARGUMENTS` to its end; a traceback is never right."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in out + err, out + err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)
