"""How many images are worked on at once, and what happens when that is too many, or when one of them fails."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psutil
import torch

from pipeline.catalogue.entry import Entry
from pipeline.data.images import Batch
from pipeline.errors import BenchError, TransientError

Result = TypeVar("Result")
BYTES_PER_PIXEL = 4096  # a ResNet-50 keeps about 2 kB per pixel for its backward pass, a vision transformer about 4 kB


@dataclass(frozen=True)
class BatchRule:
    """How many images make a batch: by the machine's memory and the image's size, not by what is free now."""

    pixels: int
    most: int

    @classmethod
    def of(cls, entry: Entry, device: torch.device, batch: int | None) -> BatchRule:
        """Returns the rule for a metric on a device; `batch` is the user's own choice."""
        if entry.fields["batch_dependent"]:
            return cls(1, 1)
        if batch is not None:
            return cls(2**62, batch)
        if device.type == "cuda":
            return cls(torch.cuda.get_device_properties(device).total_memory // 2 // BYTES_PER_PIXEL, 64)
        return cls(psutil.virtual_memory().total // 2 // BYTES_PER_PIXEL, 16)

    def __call__(self, height: int, width: int) -> int:
        """Returns the batch size for images of this size."""
        return max(1, min(self.most, self.pixels // (height * width)))


def isolate(work: Callable[[Batch], list[Result]], batch: Batch) -> tuple[list[Result], dict[str, str]]:
    """Works on a batch; what fails is tried in smaller parts, so that a broken image costs only itself.

    Out of memory halves the batch; any other failure tries every image alone.

    Returns:
        The results, and the reason for each image that has none.

    Raises:
        DataError: If the metric cannot be built, which no smaller part would change.
        TransientError: If the GPU is lost.
    """
    try:
        return (work(batch), {}) if batch.photos else ([], {})
    except BenchError:
        raise
    except Exception as error:  # whatever a contributor's code raises costs only the image
        reason, memory = one_line(error), out_of_memory(error)
        if "CUDA error" in reason:
            raise TransientError(f"the GPU is lost: {reason}") from error
    if len(batch.photos) == 1:
        return [], {batch.photos[0].name: "out of memory with a single image" if memory else reason}
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    step = -(-len(batch.photos) // 2) if memory else 1
    results: list[Result] = []
    failed: dict[str, str] = {}
    for start in range(0, len(batch.photos), step):
        part = slice(start, start + step)
        references = None if batch.references is None else batch.references[part]
        done, left = isolate(work, Batch(batch.photos[part], batch.images[part], references, {}))
        results, failed = results + done, failed | left
    return results, failed


def out_of_memory(error: Exception) -> bool:
    """Tells whether an error means that the batch was too large."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def one_line(error: Exception) -> str:
    """Returns an error's type and the first line of its message."""
    message = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
