"""What a stamp says about the arithmetic of a device is what the process really set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from metric_robustness.pipeline.engine.device import arithmetic, describe, make_deterministic
from metric_robustness.pipeline.engine.process_state import ProcessState

GPU = torch.device("cuda")  # what is told of one are settings of the process, which need none


@pytest.fixture(autouse=True)
def settings_of_a_run() -> Iterator[None]:
    """Makes the settings that a run makes; what was set before returns afterwards."""
    before = ProcessState.now()
    make_deterministic()
    yield
    before.set_back({"allow_tf32", "cudnn"})


def test_run_has_neither_tf32_nor_kernels_that_differ() -> None:
    assert arithmetic(GPU) == "float32, TF32 off, cuDNN deterministic"


@pytest.mark.parametrize("where", [torch.backends.cudnn, torch.backends.cuda.matmul], ids=["cudnn", "matmul"])
def test_tf32_is_told_wherever_it_is_on(where: Any) -> None:
    where.allow_tf32 = True
    assert arithmetic(GPU) == "float32, TF32 on, cuDNN deterministic"


def test_kernels_that_may_differ_are_told() -> None:
    torch.backends.cudnn.deterministic = False
    assert arithmetic(GPU) == "float32, TF32 off, cuDNN not deterministic"


def test_stamp_tells_of_the_processor() -> None:
    assert describe(torch.device("cpu"))["arithmetic"] == "float32"
