"""What of a process contributed code can change for all others: compared with what the engine set, and set back."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class ProcessState:
    """The state of this process on which numbers depend; a field has the name of what an author sets it with."""

    set_default_dtype: torch.dtype
    set_default_device: torch.device
    set_grad_enabled: bool
    inference_mode: bool
    use_deterministic_algorithms: tuple[bool, bool]  # the second: only warn
    set_num_threads: int
    allow_tf32: tuple[bool, bool]  # of matrix products, of cudnn
    cudnn: tuple[bool, bool, bool]  # enabled, deterministic, benchmark
    seterr: tuple[tuple[str, str], ...]
    chdir: Path

    @classmethod
    def now(cls) -> ProcessState:
        """Returns the state as it is."""
        backends: Any = torch.backends
        return cls(
            torch.get_default_dtype(),
            torch.get_default_device(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
            torch.get_num_threads(),
            (backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32),
            (backends.cudnn.enabled, backends.cudnn.deterministic, backends.cudnn.benchmark),
            tuple(sorted((name, str(how)) for name, how in np.geterr().items())),
            Path.cwd(),
        )

    def changed(self, now: ProcessState) -> dict[str, tuple[Any, Any]]:
        """Returns what differs now, by name: what it was and what it is."""
        pairs = {field.name: (getattr(self, field.name), getattr(now, field.name)) for field in fields(self)}
        return {name: (was, is_) for name, (was, is_) in pairs.items() if was != is_}

    def set_back(self, names: set[str]) -> None:
        """Sets back what was changed."""
        backends: Any = torch.backends
        for name in names & {"set_default_dtype", "set_default_device", "set_num_threads"}:
            getattr(torch, name)(getattr(self, name))
        torch.set_grad_enabled(self.set_grad_enabled)
        if "use_deterministic_algorithms" in names:
            on, warn_only = self.use_deterministic_algorithms
            torch.use_deterministic_algorithms(on, warn_only=warn_only)
        if "allow_tf32" in names:
            backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32 = self.allow_tf32
        if "cudnn" in names:
            backends.cudnn.enabled, backends.cudnn.deterministic, backends.cudnn.benchmark = self.cudnn
        if "seterr" in names:
            np.seterr(**dict(self.seterr))  # type: ignore[arg-type]  # what numpy.geterr returned
        if "chdir" in names:
            os.chdir(self.chdir)


class Restorer:
    """Keeps the state of this process as it is now.

    Attributes:
        told: What was changed so far, since an author needs to read it once.
        modes: Undo what contributed code began; they undo nothing more once they are freed.
    """

    def __init__(self) -> None:
        self.state = ProcessState.now()
        self.told: set[str] = set()
        self.modes: list[torch.inference_mode] = []

    def changes(self) -> list[str]:
        """Sets back what was changed; returns a line for each change that was not told before."""
        changed = self.state.changed(ProcessState.now())
        if "inference_mode" in changed:  # first, since it turns gradients off, too
            self.modes.append(torch.inference_mode(self.state.inference_mode))
            self.modes[-1].__enter__()
        if changed:
            self.state.set_back(set(changed))
        fresh = {name: pair for name, pair in changed.items() if name not in self.told}
        self.told |= fresh.keys()
        return [
            f"changed {name} of the process from {was} to {is_}; it was set back: take that out"
            for name, (was, is_) in fresh.items()
        ]
