"""Which images the runners hold: listed where the data are, read where the planning happens."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metric_robustness.pipeline.config import Preset
from metric_robustness.pipeline.data.dataset import Dataset, open_dataset
from metric_robustness.pipeline.errors import BenchError, DataError, invalid


class Held(BaseModel):
    """The part of a data set that a preset takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str = Field(pattern=r"^[0-9a-f]{16}$")  # of the images
    images: int = Field(ge=1)
    pixels: int = Field(default=0, ge=0)  # of an image, on average; 0 where an older file does not say
    clips: int = Field(default=0, ge=0)  # whose frames the images are; 0 for a set of photographs


class Inventory(BaseModel):
    """The data sets and training sets of a preset, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    datasets: dict[str, Held]
    train: dict[str, Held] = {}
    absent: dict[str, str] = {}  # why a training set cannot be used

    @property
    def digests(self) -> dict[str, str]:
        """Returns the digest of each data set."""
        return {name: held.digest for name, held in self.datasets.items()}

    @property
    def trained_on(self) -> dict[str, str]:
        """Returns the digest of each training set."""
        return {name: held.digest for name, held in self.train.items()}

    @property
    def images(self) -> int:
        """Returns how many images there are to attack."""
        return sum(held.images for held in self.datasets.values())

    @property
    def clips(self) -> int:
        """Returns how many clips there are to attack."""
        return sum(held.clips for held in self.datasets.values())


def take_inventory(preset: Preset) -> Inventory:
    """Reads the data sets of a preset on this machine.

    Raises:
        BenchError: If a data set to attack is not on this machine.
        DataError: If a data set to attack holds nothing that can be used.
    """
    datasets = {name: open_dataset(name, preset.limit, preset.frames) for name in preset.datasets}
    train, absent = {}, {}
    for name in preset.train:
        try:
            train[name] = open_dataset(name, preset.train_limit)
        except BenchError as error:  # only universal attacks need the training set
            absent[name] = str(error)
    return Inventory(datasets=_held(datasets), train=_held(train), absent=absent)


def _held(datasets: dict[str, Dataset]) -> dict[str, Held]:
    return {
        name: Held(
            digest=each.digest,
            images=len(each.photos),
            pixels=round(fmean(photo.height * photo.width for photo in each.photos)),
            clips=len(each.clips),
        )
        for name, each in datasets.items()
    }


def read_inventory(path: Path) -> Inventory:
    """Returns an inventory that was written where the data are.

    Raises:
        DataError: If the file is not an inventory.
    """
    try:
        return Inventory.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{path} must be what `inventory --out` wrote; got {invalid(error)}: run it again") from error
