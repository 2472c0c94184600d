"""The state of the process that all entries share, and which of it an entry changed."""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from metric_robustness.pipeline import places


class State(NamedTuple):
    """A part of the process's state: how it is read, and put back."""

    read: Callable[[], Any]
    write: Callable[[Any], object]


def _flags() -> tuple[bool, bool, bool, bool, bool, str]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
        torch.get_float32_matmul_precision(),
    )


def _set_flags(flags: tuple[bool, bool, bool, bool, bool, str]) -> None:
    torch.use_deterministic_algorithms(flags[0])
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = flags[1:3]
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = flags[3:5]
    torch.set_float32_matmul_precision(flags[5])


def _set_environment(variables: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


def _set_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]  # typeshed calls it a sequence; it is a list


def _numpys() -> tuple[Any, ...]:
    state: Any = np.random.get_state()
    name, keys, *rest = state  # the state that all share is what this is about
    return (name, keys.tobytes(), *rest)


def _set_numpys(state: tuple[Any, ...]) -> None:
    np.random.set_state((state[0], np.frombuffer(state[1], np.uint32), *state[2:]))


RANDOM = {
    "torch's random state": State(
        lambda: torch.get_rng_state().numpy().tobytes(),
        lambda state: torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8)),
    ),
    "NumPy's random state": State(_numpys, _set_numpys),
    "Python's random state": State(random.getstate, random.setstate),
}
OF_LIBRARIES = {  # many libraries change these as they are imported, which is not the entry's doing
    "the environment": State(lambda: dict(os.environ), _set_environment),
    "the warnings filters": State(lambda: list(warnings.filters), _set_filters),
}
SETTINGS = {
    "torch's default dtype": State(torch.get_default_dtype, torch.set_default_dtype),
    "torch's default device": State(torch.get_default_device, torch.set_default_device),
    "torch's grad mode": State(torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's deterministic or TF32 flags": State(_flags, _set_flags),
    "torch's number of threads": State(torch.get_num_threads, torch.set_num_threads),
    "the working directory": State(Path.cwd, os.chdir),
    "NumPy's error handling": State(np.geterr, lambda state: np.seterr(**state)),
    **OF_LIBRARIES,
}


def draw() -> None:
    """Draws from every random state, so that seeding one as it was seeded before changes it."""
    torch.rand(1)
    np.random.rand()
    random.random()


class Watch:
    """Remembers parts of the process's state from its beginning on: `SETTINGS`, `RANDOM`, or both."""

    def __init__(self, *states: dict[str, State]) -> None:
        self.states = {name: state for some in states for name, state in some.items()}
        self.before = {name: state.read() for name, state in self.states.items()}
        self.modules = set(sys.modules)

    def changed(self) -> list[str]:
        """Returns what differs from the beginning, in words, and puts it back."""
        imported = any(not name.startswith(places.PACKAGE) for name in set(sys.modules) - self.modules)
        found = []
        for name, state in self.states.items():
            before, now = self.before[name], state.read()
            if before == now:
                continue
            state.write(before)
            if imported and name in OF_LIBRARIES:
                continue
            found.append(f"{name} ({_variables(before, now)})" if name == "the environment" else name)
        return found


def _variables(before: dict[str, str], now: dict[str, str]) -> str:
    """Returns the names of the variables that differ; their values may be secret."""
    return ", ".join(sorted({name for name, _ in before.items() ^ now.items()}))
