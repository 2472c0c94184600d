"""Ctrl-C takes effect at any moment, and leaves no process waiting for another for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# The server is busy importing when the second worker is asked for, so that the interrupt finds the question unanswered.
INTERRUPTED = """
import os, signal, sys, time
from multiprocessing.connection import wait
from metric_robustness.pipeline.isolation.fork_server import ForkServer

server = ForkServer()
worker = server.start()
server.prepare(["slow"])
if os.fork() == 0:
    time.sleep(0.3)
    os.kill(os.getppid(), signal.SIGINT)
    os._exit(0)
try:
    server.start()
except KeyboardInterrupt:
    print("interrupted")
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
worker.signal(signal.SIGTERM)
while worker.code is None:
    wait([worker.sentinel])
    server.hear()
print("ended by", -worker.code)
"""

LOST = """
import os, signal, time
from metric_robustness.pipeline.isolation.interrupt import press_lost_interrupts_again

class Interrupted:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

press_lost_interrupts_again()
os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGINT))
try:
    if os.fork() == 0:
        os._exit(0)
    print("lost")
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted")
try:
    Interrupted()
    print("lost")
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_while_a_worker_is_started_leaves_the_ends_of_the_others_to_be_heard(tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(1)\n")
    assert printed_by(INTERRUPTED, tmp_path) == "interrupted\nended by 15\n"


def test_ctrl_c_that_python_would_print_and_forget_takes_effect(tmp_path):
    assert printed_by(LOST, tmp_path) == 2 * "lost\ninterrupted\n"


def printed_by(program: str, folder: Path) -> str:
    """Returns what a program prints, which must end well and print no error."""
    (folder / "script.py").write_text(program)
    quiet = ["-W", "ignore::DeprecationWarning"]  # Python 3.12 and newer warn that what presses again is a thread
    words = [sys.executable, *quiet, folder / "script.py"]
    told = subprocess.run(words, capture_output=True, check=False, text=True, timeout=60)
    assert (told.returncode, told.stderr) == (0, "")
    return told.stdout
