"""Completion: what a shell asks and is told, as typer's protocol has it, and without the seconds that PyTorch takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from metric_robustness.pipeline.places import CODE

PROGRAM = """
import atexit, sys
sys.argv = ["metric-robustness"]
atexit.register(lambda: print("torch" in sys.modules, file=sys.stderr))
from metric_robustness.pipeline.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pub", ["publish"]),
        ("plot --wid", ["--width"]),
        ("plot defence-s", ["defence-srocc", "defence-ssim"]),
        ("show niqe_", ["niqe_matlab", "niqe_official"]),
        ("run --metrics ssim,nlp", ["ssim,nlpd"]),
        ("run --attacks fgs", ["fgsm"]),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_is_told_commands_options_and_names(line: str, told: list[str], shell: str) -> None:
    words = f"metric-robustness {line}"
    asked = {
        "bash": {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": words},
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | asked[shell] | {"_METRIC_ROBUSTNESS_COMPLETE": f"complete_{shell}", "PYTHONPATH": str(CODE)},
        cwd=CODE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "False\n"
    found = done.stdout.split() if shell == "bash" else re.findall(r'^(?:.*\(\()?"([^":]+)', done.stdout, re.MULTILINE)
    assert found == told
