"""SSIM, squared error and l-infinity in one pass over the pixels, compiled for the processor by numba.

Every step of `measures` on tensors writes a map that the next one reads; here a row of pixels stays in the processor's
first cache until it is in all sums.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.files.machine_code import machine_code

Plane: TypeAlias = NDArray[np.float32]  # one channel of one image, (H, W)
Planes: TypeAlias = NDArray[np.float32]  # (number, H, W)

WINDOW = 7
PIXELS = WINDOW**2
# K1 = 0.01 and K2 = 0.03 of Wang et al., for 255 levels, in the units of a squared sum and of a sample variance.
C1 = (0.01 * 255 * PIXELS) ** 2
C2 = (0.03 * 255) ** 2 * PIXELS * (PIXELS - 1)


def sums(first: Images, second: Images) -> Tensor:
    """Returns (N, 3, channels) float64: SSIM and squared error, each a mean over a channel's pixels, and l-infinity.

    The formulas are those of `measures`.

    Args:
        first: (N, C, H, W) images in [0, 1], on the processor.
        second: The same.
    """
    planes = [images.float().contiguous().flatten(0, 1).numpy() for images in (first, second)]
    found = np.empty((len(planes[0]), 3))
    threads = min(torch.get_num_threads(), len(found))
    own, *others = zip(*(np.array_split(values, threads) for values in (*planes, found)), strict=True)
    with ThreadPoolExecutor(max(len(others), 1)) as pool:  # starts no thread before there is work for it
        running = [pool.submit(_planes, *share) for share in others]  # the compiled code runs without Python's lock
        _planes(*own)
        for share in running:
            share.result()
    return torch.from_numpy(found).reshape(len(first), -1, 3).mT


# Sums may be taken in any order: otherwise the processor adds one number after another.
_compiled = partial(machine_code, error_model="numpy", nogil=True, fastmath={"reassoc", "nsz", "contract"})


@_compiled
def _window(sums: NDArray[np.int32], left: int) -> Any:
    """Returns the sum of seven columns; written out, so that many windows are summed at once.

    Numba widens sums of integers to 64 bits; brought back to 32, twice as many fit a register.
    """
    near = sums[left] + sums[left + 1] + sums[left + 2] + sums[left + 3]
    return np.int32(near + sums[left + 4] + sums[left + 5] + sums[left + 6])


@_compiled
def _plane(first: Plane, second: Plane) -> Any:
    """Returns mean SSIM, mean squared error and l-infinity of two planes.

    Sums of the last seven rows wait above each column: the newest row is added, the oldest taken off. With s = x + y
    and d = x - y in levels, no integer exceeds 2 * 49^2 * 510^2, which is less than 2^31.
    """
    height, width = first.shape
    inner = width - WINDOW + 1
    kept_s, kept_d = np.zeros((WINDOW, width), np.int32), np.zeros((WINDOW, width), np.int32)
    sum_s, sum_d = np.zeros(width, np.int32), np.zeros(width, np.int32)
    sum_ss, sum_dd = np.zeros(width, np.int32), np.zeros(width, np.int32)
    similar, error, farthest = 0.0, 0.0, np.float32(0)
    for row in range(height):
        xs, ys, old_s, old_d = first[row], second[row], kept_s[row % WINDOW], kept_d[row % WINDOW]
        for column in range(width):
            change = xs[column] - ys[column]
            error += np.float64(change * change)
            farthest = max(farthest, abs(change))
        for column in range(width):
            x = np.int32(xs[column] * np.float32(255) + np.float32(0.5))
            y = np.int32(ys[column] * np.float32(255) + np.float32(0.5))
            s, d, was_s, was_d = x + y, x - y, old_s[column], old_d[column]
            old_s[column], old_d[column] = s, d
            sum_s[column] += s - was_s
            sum_d[column] += d - was_d
            sum_ss[column] += s * s - was_s * was_s
            sum_dd[column] += d * d - was_d * was_d
        if row < WINDOW - 1:
            continue
        for left in range(inner):
            s, d = _window(sum_s, left), _window(sum_d, left)
            square_s, square_d = np.int32(s * s), np.int32(d * d)
            spread_s = np.float64(np.int32(PIXELS * _window(sum_ss, left) - square_s))
            spread_d = np.float64(np.int32(PIXELS * _window(sum_dd, left) - square_d))
            mean_s, mean_d = np.float64(square_s), np.float64(square_d)
            top = (mean_s - mean_d + 2 * C1) * (spread_s - spread_d + 2 * C2)
            bottom = (mean_s + mean_d + 2 * C1) * (spread_s + spread_d + 2 * C2)
            similar += top / bottom
    return similar / ((height - WINDOW + 1) * inner), error / (height * width), farthest


@_compiled
def _planes(first: Planes, second: Planes, found: NDArray[np.float64]) -> None:
    """Writes what `_plane` returns for every pair of planes."""
    for i in range(len(found)):
        found[i, 0], found[i, 1], found[i, 2] = _plane(first[i], second[i])
