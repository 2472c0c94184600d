"""Chooses how workers are started, once for this process."""

from __future__ import annotations

import sys
import threading
from functools import cache
from typing import Any

from metric_robustness.pipeline.isolation.fork_server import ForkServer
from metric_robustness.pipeline.isolation.spawner import Spawner


@cache
def starter() -> ForkServer | Spawner:
    """Returns what starts workers: forks where that is safe.

    It is called early, before this process has threads and before PyTorch computes anything in it.
    """
    torch: Any = sys.modules.get("torch")
    initialized = torch is not None and torch.cuda.is_initialized()
    safe = sys.platform == "linux" and threading.active_count() == 1 and not initialized
    return ForkServer() if safe else Spawner()
