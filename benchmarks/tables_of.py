"""What the tables of a run folder take, in a process that imports what they need and nothing else.

Its workers import this module, too, since they are spawned: whatever stood here would count as theirs.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

from metric_robustness.pipeline.scoring.tables.write import write_tables


def main() -> None:
    """Writes the tables of the folder that is named, and prints seconds and memory as JSON."""
    folder = Path(sys.argv[1])
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    write_tables([folder], folder)
    one, workers = _largest() / 2**20, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    most = one + workers * len(os.sched_getaffinity(0))  # as if all of them were at their largest at once
    seconds = {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": sum(os.times()[:4]) - cpu}
    print(json.dumps({name: round(value, 2) for name, value in {**seconds, "peak_memory_gb": most}.items()}))


def _largest() -> int:
    """Returns the most memory that this process had, in KiB; `getrusage` counts that of the process that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
