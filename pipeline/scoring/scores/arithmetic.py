"""Which code computes sums over resamples: numpy's, or compiled, which takes a fifth of the time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metric_robustness.pipeline.scoring.scores import sums
from metric_robustness.pipeline.scoring.scores.sums import BLOCK, Counts, Steps, Weights


class Arithmetic(NamedTuple):
    """One way to compute the sums; all have the same bits."""

    areas: Callable[[Counts, Steps, int], NDArray[np.float64]]
    sums: Callable[[Counts, Weights], NDArray[np.float64]]


IN_NUMPY = Arithmetic(sums.areas, sums.sums)


@cache
def compiled() -> Arithmetic:
    """Returns the compiled sums; those in numpy where bits would differ.

    There is a processor on which numpy adds products before it rounds them; compiled code always rounds them first.
    Which of the two computes a number depends on how many were computed before, so that both must give the same one.
    """
    from metric_robustness.pipeline.scoring.scores import compiled as code  # noqa: PLC0415  # numba, half a second

    found = Arithmetic(code.areas, code.sums)
    random = np.random.default_rng(0)
    counts = random.poisson(1, (BLOCK, 100)).astype(np.uint8)
    signs, widths = np.where(random.random(4 * BLOCK) < 0.5, 1, -1), random.random(4 * BLOCK)
    steps = Steps(random.integers(BLOCK, size=4 * BLOCK), signs.astype(np.float32), widths.astype(np.float32))
    same = np.array_equal(sums.areas(counts, steps, 2**15), found.areas(counts, steps, 2**15))
    return found if same else IN_NUMPY
