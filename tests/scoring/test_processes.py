"""Work in several processes."""

import math
import os

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
