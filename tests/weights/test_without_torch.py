"""The tests of weights need no PyTorch in their own process: importing it takes longer than most of them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from scratch import ROOT

PROGRAM = """
import sys, pytest
code = pytest.main(["-q", "-p", "no:cacheprovider", "tests/weights", "-k", "every_form and json or declared_file"])
assert "torch" not in sys.modules, "torch is loaded"
sys.exit(code)
"""


@pytest.mark.slow
def test_collecting_and_running_them_loads_no_torch():
    told = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
