"""Mirroring: a folder with every file under its declared name and their sums, for machines without internet."""

from __future__ import annotations

from pathlib import Path

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.weights import sums
from metric_robustness.pipeline.weights.declared import Need
from metric_robustness.pipeline.weights.destinations import MirrorFolder
from metric_robustness.pipeline.weights.fetching import Fetcher, OnProgress
from metric_robustness.pipeline.weights.sources import FileSource, PathSource


class MirrorFetcher(Fetcher):
    """Fills a mirror's folder, from this machine's caches where they have a file."""

    def __init__(self, folder: Path, mirror: str, on_progress: OnProgress) -> None:
        """Begins; see `Fetcher`."""
        if folder.is_file():
            raise BenchError(f"the mirror must be a folder; {folder} is a file: name another")
        super().__init__(MirrorFolder(folder), mirror, on_progress)
        self.pins = sums.read(sums.pins_file())

    def sources(self, need: Need) -> list[FileSource]:
        """Returns the file of this machine, if it is here, and then where else it may come from."""
        own: list[FileSource] = [PathSource(need.path, self.pins.get(need.name, ""))] if need.here else []
        return own + list(super().sources(need))
