"""What the tests of containers leave behind where they are killed: a small folder, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

# Makes a corner with a rule of the firewall and a server, and waits to be killed.
PROGRAM = """
import sys, time
from pathlib import Path
from corner import corner
with corner(Path(sys.argv[1])) as made:
    made.must("iptables", "--new-chain", "TESTS")
    made.must("iptables", "--list", "TESTS")
    made.start("sleep", str(int(sys.argv[2])))
    print(made.first, flush=True)
    time.sleep(600)
"""
SECONDS = "98765"  # a word to know the server by


def alive(word: str) -> list[psutil.Process]:
    """Returns the processes that have a word in their command lines, but for the killed program itself."""
    return [found for found in psutil.process_iter(["cmdline"]) if word in (found.info["cmdline"] or [])]


def disks(folder: str) -> list[str]:
    """Returns the loop devices whose file is in a folder; the kernel lets them go a while after their mount."""
    loops = Path("/sys/block").glob("loop*/loop/backing_file")
    return [file.parts[3] for file in loops if folder in file.read_text()]


def test_killed_tests_leave_no_process_mount_or_rule(machine):
    with tempfile.TemporaryDirectory(prefix="imagetests-") as folder:
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, folder, SECONDS],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
            stdout=subprocess.PIPE,
            text=True,
        )
        with child:
            assert child.stdout is not None
            first = child.stdout.readline().strip()  # which is how the process that leads into the network is called
            assert alive(SECONDS) != []
            assert alive(first) != []
            child.kill()
        end = time.monotonic() + 30
        while alive(SECONDS) or alive(first) or disks(folder):
            assert time.monotonic() < end
            time.sleep(0.1)
        rules = subprocess.run(["iptables", "--list", "TESTS"], capture_output=True, check=False)
        assert rules.returncode != 0
        assert folder not in Path("/proc/mounts").read_text()
        assert not list(Path(folder, "disk").iterdir())
