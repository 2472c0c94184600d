"""Lets the engine set PyTorch up for equal bits, and gives a notebook its own settings back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from metric_robustness.pipeline.engine.device import make_deterministic


@contextmanager
def undisturbed() -> Iterator[None]:
    """Makes PyTorch deterministic inside the block; random numbers and switches are afterwards what they were.

    The block has gradients and full precision, whatever modes it was called in, such as `torch.inference_mode`.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32
    drawn = random.getstate(), np.random.get_state()  # what a metric of the user draws from, too
    with (
        torch.random.fork_rng(range(torch.cuda.device_count())),
        torch.inference_mode(mode=False),
        torch.enable_grad(),
    ):
        try:
            make_deterministic()
            yield
        finally:
            random.setstate(drawn[0])
            np.random.set_state(drawn[1])
            cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32 = before
