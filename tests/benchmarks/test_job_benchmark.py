"""The benchmark of a job's overhead counts every process that a job starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.plans.job import cost_of

# Ends at once and leaves a process behind, which holds 200 MB and computes for half a second.
LEAVES_ONE = """
import os, time
if os.fork() == 0:
    held = bytearray(200_000_000)
    held[::4096] = b"x" * len(held[::4096])
    while time.process_time() < 0.5:
        pass
"""


def test_what_a_command_leaves_behind_counts():
    cost = cost_of([sys.executable, "-c", LEAVES_ONE])
    assert cost.processor_seconds > 0.5
    assert cost.memory > 0.2


def test_a_command_that_fails_has_no_cost():
    with pytest.raises(subprocess.CalledProcessError):
        cost_of([sys.executable, "-c", "raise SystemExit(3)"])
