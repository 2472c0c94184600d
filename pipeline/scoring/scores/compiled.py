"""The functions of `sums`, compiled for the processor by numba: one pass over how often the clips are drawn.

In numpy each step writes a line that the next one reads.
"""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metric_robustness.pipeline.files.machine_code import machine_code
from metric_robustness.pipeline.scoring.scores.sums import BLOCK, Counts, Singles, Steps, Weights

Line: TypeAlias = Singles  # (resamples,)

# No fastmath: every product is rounded before it is added, as numpy does it, so that the bits are the same.
_compiled = partial(machine_code, error_model="numpy", nogil=True)


def areas(counts: Counts, steps: Steps, most: int) -> NDArray[np.float64]:
    """Returns and takes what `sums.areas` does."""
    del most  # single precision counts up to there
    total: NDArray[np.float64] = _areas(counts, *steps, BLOCK)
    return total


def sums(counts: Counts, weights: Weights) -> NDArray[np.float64]:
    """Returns and takes what `sums.sums` does."""
    lines, clips = weights.shape
    fours = np.zeros((-(clips // -4) * 4, -(lines // -4) * 4))
    fours[:clips, :lines] = weights.T
    total: NDArray[np.float64] = _sums(counts, fours)
    return total[:lines]


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


@partial(_compiled, fastmath={"contract"})  # these products are exact: it is the same whether they are rounded
def _four_clips(counts: tuple[Counts, Counts, Counts, Counts], weights: Weights, lines: NDArray[np.float64]) -> None:
    """Adds four clips to four lines, (4, resamples), by the clips' weights, (4, 4): each number is read once for four.

    Weights and lines have names of their own: what is read from an array would be read anew after each number written.
    """
    (k, m, n, o), (a, b, c, d) = counts, (lines[0], lines[1], lines[2], lines[3])
    ak, bk, ck, dk = weights[0, 0], weights[0, 1], weights[0, 2], weights[0, 3]
    am, bm, cm, dm = weights[1, 0], weights[1, 1], weights[1, 2], weights[1, 3]
    an, bn, cn, dn = weights[2, 0], weights[2, 1], weights[2, 2], weights[2, 3]
    ao, bo, co, do = weights[3, 0], weights[3, 1], weights[3, 2], weights[3, 3]
    for i in range(a.size):
        x, y, z, u = np.float64(k[i]), np.float64(m[i]), np.float64(n[i]), np.float64(o[i])
        a[i] += ak * x + am * y + an * z + ao * u
        b[i] += bk * x + bm * y + bn * z + bo * u
        c[i] += ck * x + cm * y + cn * z + co * u
        d[i] += dk * x + dm * y + dn * z + do * u


@_compiled
def _sums(counts: Counts, weights: Weights) -> NDArray[np.float64]:
    """Returns the sums of weights, (clips, K), both numbers multiples of 4; for clips without counts they are 0."""
    total, last = np.zeros((weights.shape[1], counts.shape[1])), len(counts) - 1
    for line in range(0, weights.shape[1], 4):
        for clip in range(0, len(weights), 4):
            rows = (
                counts[clip],
                counts[min(clip + 1, last)],
                counts[min(clip + 2, last)],
                counts[min(clip + 3, last)],
            )
            _four_clips(rows, weights[clip : clip + 4, line : line + 4], total[line : line + 4])
    return total
