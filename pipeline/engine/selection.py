"""Selection: which cells a run has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.data.dataset import Dataset, open_dataset


@dataclass(frozen=True)
class Selection:
    """Which metrics are attacked, by what, on which images.

    Attributes:
        metrics: Their names, of which METRIC+DEFENCE is one, or entries that no file holds.
        attacks: Their names.
        datasets: Names of data sets, folders, files, or iqa:CSV; or data sets that are open.
        limit: How many photographs or clips of each data set; None takes all.
        frames: How many frames of each video, from its beginning; None takes all.
        train: Training sets of universal attacks.
        train_limit: How many images of each training set; None takes all.
        from_images: A folder of attacked images to score; they bring their attacks and data sets along.
        preset: The name of the preset that all this comes from, for the stamps.
    """

    metrics: Sequence[str | Entry]
    attacks: Sequence[str] = ()
    datasets: Sequence[str | Dataset] = ()
    limit: int | None = None
    frames: int | None = None
    train: Sequence[str] = ()
    train_limit: int | None = None
    from_images: Path | None = None
    preset: str = ""

    def entries(self) -> list[Entry]:
        """Returns the metrics, each once.

        Raises:
            BenchError: If there is none of a name.
        """
        found = [each if isinstance(each, Entry) else lookup.find("metrics", each) for each in self.metrics]
        return list({each.name: each for each in found}.values())

    def opened(self) -> list[Dataset]:
        """Returns the images.

        Raises:
            BenchError: If there is no such data set.
            DataError: If one cannot be used.
        """
        return [
            each if isinstance(each, Dataset) else open_dataset(each, self.limit, self.frames) for each in self.datasets
        ]
