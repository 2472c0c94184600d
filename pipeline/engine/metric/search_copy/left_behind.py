"""Takes out of a metric what trial passes leave behind: it goes on as if nobody had tried anything.

A metric may keep what it saw last, or collect features in hooks. While its passes are traced these are stand-ins
without values, and the hooks of a copy may write into the metric itself: its next scores would be wrong, or fail.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


@contextmanager
def nothing_left_behind(metric: nn.Module) -> Iterator[None]:
    """A context after which the attributes of a metric, of its layers, and what these collect are as before.

    What is changed within a tensor stays changed.
    """
    before = [(held, held.copy()) for held in _collections(metric) if not isinstance(held, tuple)]
    try:
        yield
    finally:
        for held, content in before:
            if isinstance(held, list):
                held[:] = content
            else:
                held.clear()
                held.update(content)


def copied(network: Network, known: Mapping[int, object] | None = None) -> Network:
    """Returns a copy; what its last pass left behind may hang in a graph, of which PyTorch copies nothing.

    Args:
        network: A metric, or another module.
        known: What stands in the copy for what the module refers to, by the id of the latter.
    """
    held = [each for held in _collections(network) for each in (held.values() if isinstance(held, dict) else held)]
    hanging = {id(each): each.detach() for each in held if isinstance(each, Tensor) and not each.is_leaf}
    return copy.deepcopy(network, {**hanging, **(known or {})})


def _collections(value: Any) -> list[Any]:
    """Returns the dictionaries, lists, sets and tuples that a module consists of, those within others, too."""
    found: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        held = waiting.pop()
        if isinstance(held, nn.Module):
            held = held.__dict__
        if isinstance(held, dict | list | set | tuple) and id(held) not in found:
            found[id(held)] = held
            waiting += held.values() if isinstance(held, dict) else held
    return list(found.values())
