"""Lets the engine set PyTorch up for equal bits, and gives a notebook its own settings back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from metric_robustness.pipeline.engine.device import make_deterministic


@contextmanager
def undisturbed() -> Iterator[None]:
    """Makes PyTorch deterministic inside the block; its random numbers and switches are afterwards what they were."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        try:
            make_deterministic()
            yield
        finally:
            cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32 = before
