"""Work in several processes."""

import math
import os
import subprocess
import sys

import psutil
import pytest

from metric_robustness.pipeline.errors import TransientError
from metric_robustness.pipeline.scoring.processes import Processes


@pytest.mark.parametrize("processors", [1, 2])
def test_results_come_in_the_order_of_the_jobs(processors):
    with Processes(processors, worth=0) as processes:
        assert processes.map(math.comb, [(5, 2), (4, 1), (3, 3)], rows=1) == [10, 4, 1]
        assert (processes.pool is None) == (processors == 1)


def test_little_work_is_done_here():
    with Processes(2, worth=10) as processes:
        assert processes.map(os.getpid, [(), ()], rows=9) == [os.getpid()] * 2


def test_a_process_that_is_killed_is_told_in_one_line():
    with Processes(2, worth=0) as processes, pytest.raises(TransientError, match="want of memory"):
        processes.map(os._exit, [(1,), (1,)], rows=1)


LONG = """
import time
from metric_robustness.pipeline.scoring.processes import Processes
if __name__ == "__main__":
    with Processes(2, worth=0) as processes:
        processes.map(time.sleep, [(0,), (0,)], rows=1)
        print(*processes.pool._processes, flush=True)
        processes.map(time.sleep, [(100,)] * 8, rows=1)
"""


@pytest.mark.slow
def test_processes_end_with_the_one_that_is_killed(tmp_path):
    (tmp_path / "long.py").write_text(LONG, encoding="utf-8")
    first = subprocess.Popen([sys.executable, tmp_path / "long.py"], stdout=subprocess.PIPE, text=True)
    workers = [psutil.Process(int(pid)) for pid in first.stdout.readline().split()]
    first.stdout.close()
    first.kill()
    first.wait()
    left = psutil.wait_procs(workers, timeout=10)[1]
    for worker in left:
        worker.kill()
    assert len(workers) == 2
    assert not left
