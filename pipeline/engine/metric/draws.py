"""What a random metric draws in a search: it depends on the name of the search alone, not on batch or earlier work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from metric_robustness.pipeline.engine.metric.objective import seed


@contextmanager
def draws_of(search: str, device: torch.device) -> Iterator[None]:
    """A context in which torch's generators begin at a place of the search's own, and go on from query to query.

    Args:
        search: Its name.
        device: Where the metric computes.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed(search))
        yield
