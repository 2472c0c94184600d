"""Ctrl-C at a moment in which two processes talk to each other leaves neither waiting for the other."""

from __future__ import annotations

import subprocess
import sys

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


def test_ctrl_c_while_a_worker_is_started_leaves_the_ends_of_the_others_to_be_heard(tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(1)\n")
    (tmp_path / "script.py").write_text(INTERRUPTED)
    words = [sys.executable, tmp_path / "script.py"]
    told = subprocess.run(words, capture_output=True, check=False, text=True, timeout=60)
    assert (told.returncode, told.stdout) == (0, "interrupted\nended by 15\n"), told.stderr
