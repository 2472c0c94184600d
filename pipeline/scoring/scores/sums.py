"""Sums over resamples, from how often each clip is drawn, in numpy."""

from __future__ import annotations

from collections import deque
from operator import call
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

BLOCK = 64  # steps of the distribution functions at a time: BLOCK x resamples numbers stay in the processor's cache
# Clips per matrix product: so few that BLAS computes it on one thread. With several threads it takes ten times as long
# while another process is busy.
FEW = 32

Counts: TypeAlias = NDArray[np.uint8]  # how often each clip is drawn, (clips, resamples)
Weights: TypeAlias = NDArray[np.float64]
Singles: TypeAlias = NDArray[np.float32]


class Steps(NamedTuple):
    """The steps of two distribution functions, F_c and F_a, from the lowest score to the highest.

    Attributes:
        clips: The clip of each, (steps,), an even number of them.
        signs: 1 where F_c takes it, -1 where F_a does, (steps,).
        widths: How far it is from there to the next, (steps,); nothing behind the last.
    """

    clips: NDArray[np.intp]
    signs: Singles
    widths: Singles


def areas(counts: Counts, steps: Steps, most: int) -> NDArray[np.float64]:
    """Returns the areas below |F_c - F_a| and below its square, (2, resamples), where each F rises to the images drawn.

    Only sums of BLOCK steps are in single precision.

    Args:
        counts: How often each clip is drawn.
        steps: The steps of the distribution functions of the clear and of the attacked scores.
        most: Images of the largest resample, fewer than 2 ** 24, up to which single precision counts.
    """
    resamples = counts.shape[1]
    drawn = list(counts.astype(np.int16 if most < 2**15 else np.int32))
    counted = [drawn[clip] for clip in steps.clips.tolist()]
    takes = [np.add if sign > 0 else np.subtract for sign in steps.signs.tolist()]
    apart = np.zeros((BLOCK + 1, resamples), drawn[0].dtype)  # F_c - F_a, times the images drawn
    above, below = list(apart[:-1]), list(apart[1:])
    gap = np.empty((BLOCK, resamples), np.float32)
    total = np.zeros((2, resamples))
    for start in range(0, steps.widths.size, BLOCK):
        width = steps.widths[start : start + BLOCK]
        block = slice(start, start + width.size)
        deque(map(call, takes[block], above, counted[block], below), maxlen=0)  # line = line above it ± counts
        part = gap[: width.size]
        np.abs(apart[1 : width.size + 1], out=part)
        total[0] += np.einsum("k,kr->r", width, part)
        np.square(part, out=part)
        total[1] += np.einsum("k,kr->r", width, part)
        apart[0] = apart[-1]
    return total


def sums(counts: Counts, weights: Weights) -> NDArray[np.float64]:
    """Returns the sums of weights, (K, clips), over the clips that are drawn, (K, resamples).

    The weights are on so coarse a grid that sums are exact in any order.
    """
    total = np.zeros((len(weights), counts.shape[1]))
    for start in range(0, len(counts), FEW):
        total += weights[:, start : start + FEW] @ counts[start : start + FEW].astype(np.float64)
    return total
