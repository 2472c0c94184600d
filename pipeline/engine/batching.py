"""How many images make a batch, and what happens when that is too many, or when one of them fails."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import psutil
import torch

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.data.images import Batch
from metric_robustness.pipeline.errors import BenchError, TransientError, printable

NO_GRADIENT = "write differentiable = False, or compute in torch from the images to the score"
REMEDIES = (  # what an error's type and message hold that PyTorch raises from our lines, and what its author changes
    (r"does not require grad and does not have a grad_fn|call numpy\(\) on Tensor that requires grad", NO_GRADIENT),
    (
        r"AttributeError: '(float|int|numpy\.\w+)' object has no attribute '(shape|float)'",
        "return a tensor of one score per image",
    ),
)
Result = TypeVar("Result")
BYTES_PER_PIXEL = 4096  # a ResNet-50 keeps about 2 kB per pixel for its backward pass, a vision transformer about 4 kB


@dataclass(frozen=True)
class BatchRule:
    """How many images make a batch: depends on the machine's memory and the image's size, not on what is free now."""

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


class Parts:
    """A batch in parts: first the whole, then smaller parts of what failed.

    A broken image costs only itself: out of memory halves a part, and any other failure tries each of its images alone.

        parts = Parts(batch)
        for part in parts:
            with parts.costs_only(part):
                found += work(part)

    Attributes:
        failed: The reason for each image that failed alone.
        together: Why several images failed at once, not for memory; empty if none did.
    """

    def __init__(self, batch: Batch) -> None:
        self.waiting = [batch] if batch.photos else []  # the last one is next
        self.failed: dict[str, str] = {}
        self.together = ""
        self.crowded = False  # whether the last part failed, so that its tensors still fill the memory

    def __iter__(self) -> Iterator[Batch]:
        while self.waiting:
            if self.crowded:  # only now: the error held the tensors until the `with` block had ended
                free_memory()
                self.crowded = False
            yield self.waiting.pop()

    @contextmanager
    def costs_only(self, part: Batch) -> Iterator[None]:
        """Lets a failure of the work on a part cost that part alone, and brings its images back in smaller parts.

        Raises:
            DataError: If the metric cannot be built, which no smaller part would change.
            TransientError: If the GPU is lost.
        """
        try:
            yield
        except BenchError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a contributor's code raises costs only the image
            memory, reason = out_of_memory(error), reason_of(error)
            self._bring_back(part, memory=memory, reason=reason)

    @property
    def slow(self) -> str:
        """Returns why the metric had to take the images one by one, though none of them is broken; empty if not so."""
        return "" if self.failed else self.together

    def _bring_back(self, part: Batch, *, memory: bool, reason: str) -> None:
        """Has the images of a failed part tried again in smaller ones; names an image that failed alone."""
        self.crowded = True
        if len(part.photos) == 1:
            self.failed[part.photos[0].name] = "out of memory with a single image" if memory else reason
            return
        if not memory:
            self.together = reason
        step = -(-len(part.photos) // 2) if memory else 1
        slices = [slice(start, start + step) for start in range(0, len(part.photos), step)]
        self.waiting += [_cut(part, each) for each in reversed(slices)]


def _cut(batch: Batch, part: slice) -> Batch:
    references = None if batch.references is None else batch.references[part]
    return Batch(batch.photos[part], batch.images[part], references, {})


def free_memory() -> None:
    """Gives back what nothing refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def attempt(work: Callable[[], Result]) -> Result | str:
    """Returns the result of work, or why it failed, in one line: a broken image or clip costs only itself.

    Raises:
        BenchError: If the metric cannot be built, which another image would not change.
        BrokenPipeError: If the process that this one reports to is gone.
        TransientError: If the GPU is lost.
    """
    try:
        return work()
    except (BenchError, BrokenPipeError):  # the second: whoever listens to this process was killed, which no image did
        raise
    except Exception as error:  # noqa: BLE001  # whatever a contributor's code raises costs only the image
        return reason_of(error)


def reason_of(error: Exception) -> str:
    """Returns why work on one image or clip failed.

    Raises:
        TransientError: If the GPU is lost.
    """
    reason = one_line(error)
    if "CUDA error" in reason:
        raise TransientError(f"the GPU is lost: {reason}") from error
    if out_of_memory(error):
        return "out of memory: run with a smaller --batch"
    remedy = next((remedy for pattern, remedy in REMEDIES if re.search(pattern, reason)), "")
    return f"{reason.removesuffix('.')}: {remedy}" if remedy else reason


def out_of_memory(error: Exception) -> bool:
    """Tells whether an error means that the batch was too large."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def one_line(error: BaseException) -> str:
    """Returns an error's type and the first line of its message."""
    message = printable(str(error).strip().partition("\n")[0])
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
