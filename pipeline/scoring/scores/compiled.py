"""The functions of `sums`, compiled for the processor by numba: one pass over how often the clips are drawn.

In numpy each step writes a line that the next one reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from metric_robustness.pipeline.scoring.scores.sums import BLOCK, Counts, Singles, Steps, Weights

Line: TypeAlias = Singles  # (resamples,)


def areas(counts: Counts, steps: Steps, most: int) -> NDArray[np.float64]:
    """Returns and takes what `sums.areas` does."""
    del most  # single precision counts up to there
    total: NDArray[np.float64] = _areas(counts, *steps, BLOCK)
    return total


def sums(counts: Counts, weights: Weights) -> NDArray[np.float64]:
    """Returns and takes what `sums.sums` does."""
    fours = np.zeros((counts.shape[0], -(len(weights) // -4) * 4))
    fours[:, : len(weights)] = weights.T
    total: NDArray[np.float64] = _sums(counts, fours)
    return total[: len(weights)]


def _compiled(function: Callable[..., Any]) -> Any:
    """Returns the function as machine code, cached on the disk for the next process if a folder can be written to."""
    # No fastmath: every product is rounded before it is added, as numpy does it, so that the bits are the same.
    try:
        return numba.njit(cache=True, error_model="numpy", nogil=True)(function)
    except RuntimeError:  # no cache folder can be written to, neither beside this file nor at home
        return numba.njit(error_model="numpy", nogil=True)(function)


@_compiled
def _two_steps(counts: tuple[Counts, Counts], signs: Line, widths: Line, lines: tuple[Line, Line, Line]) -> None:
    """Takes two steps at once, which halves what is read and written, and adds them to F_c - F_a and the two areas."""
    (first, second), (apart, area, square) = counts, lines
    sign, next_sign, width, next_width = signs[0], signs[1], widths[0], widths[1]
    for i in range(apart.size):
        gap = apart[i] + sign * np.float32(first[i])
        next_gap = gap + next_sign * np.float32(second[i])
        apart[i] = next_gap
        area[i] = area[i] + width * abs(gap) + next_width * abs(next_gap)
        square[i] = square[i] + width * (gap * gap) + next_width * (next_gap * next_gap)


@_compiled
def _areas(counts: Counts, clips: NDArray[np.intp], signs: Singles, widths: Singles, block: int) -> NDArray[np.float64]:
    resamples = counts.shape[1]
    total, apart = np.zeros((2, resamples)), np.zeros(resamples, np.float32)
    for start in range(0, clips.size, block):
        area, square = np.zeros(resamples, np.float32), np.zeros(resamples, np.float32)
        for step in range(start, min(start + block, clips.size), 2):
            both = counts[clips[step]], counts[clips[step + 1]]
            _two_steps(both, signs[step : step + 2], widths[step : step + 2], (apart, area, square))
        for i in range(resamples):
            total[0, i] += np.float64(area[i])
            total[1, i] += np.float64(square[i])
    return total


@_compiled
def _two_clips(counts: tuple[Counts, Counts], first: Weights, second: Weights, lines: NDArray[np.float64]) -> None:
    """Adds two clips to four lines, (4, resamples): each count is read, and made a double, once for all of them."""
    a, b, c, d = lines[0], lines[1], lines[2], lines[3]
    a1, b1, c1, d1 = first[0], first[1], first[2], first[3]
    a2, b2, c2, d2 = second[0], second[1], second[2], second[3]
    one, two = counts
    for i in range(a.size):
        x, y = np.float64(one[i]), np.float64(two[i])
        a[i] += a1 * x + a2 * y
        b[i] += b1 * x + b2 * y
        c[i] += c1 * x + c2 * y
        d[i] += d1 * x + d2 * y


@_compiled
def _sums(counts: Counts, weights: Weights) -> NDArray[np.float64]:
    """Returns the sums of weights, (clips, K), where K is a multiple of 4."""
    clips, resamples = counts.shape
    total = np.zeros((weights.shape[1], resamples))
    nothing = np.zeros(weights.shape[1])
    for line in range(0, weights.shape[1], 4):
        four = slice(line, line + 4)
        for clip in range(0, clips, 2):
            last = clip + 1 == clips
            other = clip if last else clip + 1
            _two_clips(
                (counts[clip], counts[other]),
                weights[clip, four],
                nothing[four] if last else weights[other, four],
                total[four],
            )
    return total
