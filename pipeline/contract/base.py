"""What the checks of metrics, attacks and defences share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Literal, NamedTuple

import torch

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import decode, to_tensor
from metric_robustness.pipeline.data.video import Pixels
from metric_robustness.pipeline.engine.batching import one_line


class Check(NamedTuple):
    """One promise of the contract, and whether an entry keeps it."""

    promise: str  # completes "a metric must ..."
    status: Literal["passed", "failed", "skipped"]
    seen: str  # what the check observed; of a failure also what to change


def failed(promise: str, seen: str) -> Check:
    """Returns a broken promise."""
    return Check(promise, "failed", seen)


def skipped(promise: str, why: str) -> Check:
    """Returns a promise that could not be checked."""
    return Check(promise, "skipped", why)


class BrokenPromiseError(Exception):
    """An entry breaks a promise; the message says what the check saw and what to change."""


def checked(promise: str, look: Callable[[], str]) -> Iterator[Check]:
    """Yields the result of one check of an entry. What the entry's code raises becomes a failure, with its message."""
    try:
        yield Check(promise, "passed", look())
    except BrokenPromiseError as broken:
        yield failed(promise, str(broken))
    except Exception as error:  # a contributor's code may raise anything  # noqa: BLE001
        yield failed(promise, f"raised {one_line(error)}: make it work on this input")


def require(holds: bool, otherwise: str) -> None:
    """Raises BrokenPromiseError with a message unless a condition holds."""
    if not holds:
        raise BrokenPromiseError(otherwise)


@cache
def photographs(height: int, width: int, count: int = 3) -> Images:
    """Returns central crops of the sample photographs, float32 RGB in [0, 1], (count, 3, height, width).

    A photograph that is smaller than the crop is repeated in both directions.
    """
    return to_tensor([_crop(decode(photo.path), height, width) for photo in open_dataset("sample").photos[:count]])


def _crop(pixels: Pixels, height: int, width: int) -> Pixels:
    rows, columns = -(-height // pixels.shape[0]), -(-width // pixels.shape[1])
    tiled = torch.from_numpy(pixels.copy()).repeat(rows, columns, 1).numpy()
    top, left = (tiled.shape[0] - height) // 2, (tiled.shape[1] - width) // 2
    cropped: Pixels = tiled[top : top + height, left : left + width]
    return cropped
