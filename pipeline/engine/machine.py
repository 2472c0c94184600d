"""Machine: where a run computes and writes. No row depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from metric_robustness.pipeline.engine.device import ON_CPU, Compute
from metric_robustness.pipeline.store.open import open_store
from metric_robustness.pipeline.store.sync import Sync


@dataclass(frozen=True)
class Machine:
    """Where a run computes, and where it writes.

    Attributes:
        out: The output folder.
        compute: What passes are computed on, and how.
        jobs: How many metrics are run at once.
        store: The address of the result store, where a run takes finished work and puts its own; empty: none.
        sync_every: Seconds between two copies of unfinished work in the store.
        checkpoint_every: Seconds of a fit that a kill may cost.
        save_images: Whether attacked images are written, with a manifest.
        replace: Whether finished rows of other images or settings may be replaced.
        patience: Seconds in which a metric's worker must report something, be it one finished batch. None: there are no
            workers, whose process contributed code may end or spoil; all is done in this one, one after the other.
    """

    out: Path
    compute: Compute = ON_CPU
    jobs: int = 1
    store: str = ""
    sync_every: float = 300
    checkpoint_every: float = 30
    save_images: bool = False
    replace: bool = False
    patience: float | None = 86400

    @property
    def isolated(self) -> bool:
        """Tells whether each metric has a process of its own."""
        return self.patience is not None

    def sync(self) -> Sync:
        """Opens the store: once in every process."""
        return Sync(open_store(self.store) if self.store else None, self.sync_every)
