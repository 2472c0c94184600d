"""A metric class of a test as an entry, so that the engine runs it without a file."""

from __future__ import annotations

from dataclasses import dataclass

from metric_robustness.metrics.base import FullReference, Metric
from metric_robustness.pipeline.catalogue.entry import Entry


@dataclass(frozen=True)
class LocalEntry(Entry):
    """An entry that loads the class it was made of."""

    made: type[Metric] | None = None

    def load(self) -> type[Metric]:
        """Returns the class."""
        assert self.made is not None
        return self.made


def local_entry(made: type[Metric], fingerprint: str = "0" * 16) -> LocalEntry:
    """Returns the entry of a metric class."""
    names = ("higher_is_better", "score_range", "differentiable", "batch_dependent", "random", "smallest", "weights")
    names += ("full_reference",)
    fields = {name: getattr(made, name) for name in names}
    kind = "FR" if issubclass(made, FullReference) else "NR"
    return LocalEntry(made.__name__.lower(), "metrics", "", kind, fields, fingerprint, made=made)
