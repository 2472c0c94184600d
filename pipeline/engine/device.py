"""The device that a run happens on, how passes are computed there, and what a stamp says of the machine."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from metric_robustness.pipeline import places
from metric_robustness.pipeline.errors import BenchError

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h


@dataclass(frozen=True)
class Compute:
    """What passes are computed on, and how.

    Attributes:
        device: cpu, cuda or cuda:N.
        batch: Images per batch; None chooses by the memory.
        compiled: Whether searches run on compiled passes; None: where that saves time.
    """

    device: str = "cpu"
    batch: int | None = None
    compiled: bool | None = None


ON_CPU = Compute()


def open_device(name: str) -> torch.device:
    """Returns a device, ready for work.

    Raises:
        BenchError: If this machine has none of that name.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in {"cpu", "cuda"}:
        raise BenchError(f"--device must be cpu or cuda; got {name!r}")
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise BenchError(f"--device {name} is not on this machine, which has {count} CUDA devices: use --device cpu")
    if device.type == "cpu":
        keep_freed_memory()
    return device


def keep_freed_memory() -> None:
    """Makes the C library keep freed memory for the next step instead of handing it back to the kernel.

    A network allocates its feature maps anew in every step. Maps of over 32 MB, such as a ResNet-50 has for 16 images,
    are handed back each time and zeroed page by page when taken again: 40 % of such a step.
    """
    with suppress(OSError, AttributeError):  # only the GNU C library has it
        ctypes.CDLL(None).mallopt(M_MMAP_MAX, 0)
        ctypes.CDLL(None).mallopt(M_TRIM_THRESHOLD, -1)


def make_deterministic() -> None:
    """Makes equal inputs give equal bits where cuDNN computes, without autotuned kernels, and float32 be no TF32."""
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def finished_at(device: torch.device, clock: Callable[[], float] = time.perf_counter) -> float:
    """Returns a clock's seconds, once the device has finished all work queued on it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock()


def sent(images: Tensor, device: torch.device) -> Tensor:
    """Returns images on a device; a GPU that is busy gets them later, and nobody waits until then."""
    return images.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else images.to(device)


class Arriving:
    """Numbers on their way from a device: behind all that is queued there now, and before what is queued later.

    To read a tensor of a GPU itself would wait for the later work, too.

    Args:
        numbers: A tensor of one dimension.
    """

    def __init__(self, numbers: Tensor) -> None:
        self.numbers = numbers.to("cpu", non_blocking=True)
        self.there = torch.cuda.current_stream(numbers.device).record_event() if numbers.is_cuda else None

    def tolist(self) -> list[float]:
        """Returns the numbers once they are there."""
        if self.there:
            self.there.synchronize()
        found: list[float] = self.numbers.tolist()
        return found


def begin_memory(device: torch.device) -> None:
    """Begins to measure the GPU memory that a cell needs."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> float:
    """Returns how many GiB the GPU held at most since `begin_memory`; 0 on a CPU."""
    return round(torch.cuda.max_memory_reserved(device) / 2**30, 2) if device.type == "cuda" else 0.0


def describe(device: torch.device) -> dict[str, str]:
    """Returns what a stamp says about the machine."""
    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else f"cpu, {torch.get_num_threads()} threads",
        "arithmetic": arithmetic(device),
        "host": platform.node(),
        "python": platform.python_version(),
        "image": os.environ.get("METRIC_ROBUSTNESS_IMAGE", ""),
        **places.versions(),
    }


def arithmetic(device: torch.device) -> str:
    """Returns how this process computes float32 on a device; in which type a search ran, the settings tell."""
    if device.type == "cpu":
        return "float32"
    tf32 = torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32
    chosen = "deterministic" if torch.backends.cudnn.deterministic else "not deterministic"
    return f"float32, TF32 {'on' if tf32 else 'off'}, cuDNN {chosen}"
