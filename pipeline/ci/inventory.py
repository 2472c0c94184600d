"""Which images the runners hold: found where the data lie, read where planning happens."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from pipeline.config import Preset
from pipeline.errors import DataError
from pipeline.evaluate.datasets import Dataset, open_dataset


class Held(BaseModel):
    """A data set as a preset takes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str = Field(pattern=r"^[0-9a-f]{16}$")  # of the images that the preset takes
    images: int = Field(ge=1)
    clips: int = Field(default=0, ge=0)  # that the images are frames of


class Inventory(RootModel[dict[str, Held]]):
    """The data sets of a preset by name."""

    @property
    def digests(self) -> dict[str, str]:
        """Returns the digest of each data set."""
        return {name: held.digest for name, held in self.root.items()}

    @property
    def images(self) -> int:
        """Returns how many images there are in all."""
        return sum(held.images for held in self.root.values())

    @property
    def clips(self) -> int:
        """Returns how many clips there are in all."""
        return sum(held.clips for held in self.root.values())


def take_inventory(preset: Preset) -> Inventory:
    """Reads the data sets of a preset on this machine.

    Raises:
        BenchError: If one is not here.
        DataError: If one holds nothing that can be used.
    """
    datasets = [open_dataset(name, preset.limit, preset.frames) for name in preset.datasets]
    return Inventory({each.name: _held(each) for each in datasets})


def _held(dataset: Dataset) -> Held:
    return Held(digest=dataset.digest, images=len(dataset.photos), clips=len(dataset.clips))


def read_inventory(path: Path) -> Inventory:
    """Returns what another machine wrote down.

    Raises:
        DataError: If the file is not an inventory.
    """
    try:
        return Inventory.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        what = " ".join(str(error).split())[:200]
        raise DataError(f"{path} must be what `inventory --out` wrote; got {what}: run it again") from error
