"""Selection: which cells a run has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Selection:
    """Which metrics are attacked, by what, on which images.

    Attributes:
        metrics: Their names; METRIC+DEFENCE is one.
        attacks: Their names.
        datasets: Names of data sets, folders, files, or iqa:CSV.
        limit: How many photographs or clips of each data set; None takes all.
        frames: How many frames of each video, from its beginning; None takes all.
        train: Training sets of universal attacks.
        train_limit: How many images of each training set; None takes all.
        from_images: A folder of attacked images to score; they bring their attacks and data sets along.
        preset: The name of the preset that all this comes from, for the stamps.
    """

    metrics: Sequence[str]
    attacks: Sequence[str] = ()
    datasets: Sequence[str] = ()
    limit: int | None = None
    frames: int | None = None
    train: Sequence[str] = ()
    train_limit: int | None = None
    from_images: Path | None = None
    preset: str = ""
