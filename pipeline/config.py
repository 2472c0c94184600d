"""Reads pipeline/benchmark.yml: the data sets and presets."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline import places
from pipeline.catalogue import lookup
from pipeline.catalogue.entry import Entry
from pipeline.errors import BenchError, suggestion

FILE = Path(__file__).with_name("benchmark.yml")


Quality: TypeAlias = int | Literal["none"]  # of the JPEG that full-reference metrics judge; none: the original itself
Guard = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(-[a-z][a-z0-9_]*)?$")]  # DEFENCE or DEFENCE-PRESET
RunnerTag = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]  # it becomes YAML


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Download(_Strict):
    """The file that a data set is downloaded as, as others published its hash."""

    url: str
    size: int | None = None  # in bytes
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None  # where nobody published more

    @property
    def hash(self) -> tuple[str, str] | None:
        """Returns the strongest hash that is known: its kind, and itself."""
        kinds = {"sha256": self.sha256, "md5": self.md5}
        return next(((kind, value) for kind, value in kinds.items() if value), None)

    @property
    def told(self) -> str:
        """Returns address, size and hash in words."""
        size = "size not known" if self.size is None else f"{self.size:,} bytes"
        return f"{self.url} ({size}, {' '.join(self.hash) if self.hash else 'no hash was published'})"


class DatasetConfig(_Strict):
    """Where a named data set lies and what it must hold."""

    title: str
    path: str
    licence: str = ""
    source: str = ""  # where to get it
    download: Download | None = None  # the file itself, where it has an address of its own
    package: str | None = None  # an installed package that carries the files
    files: tuple[str, ...] = ()  # these only, below the path; {line} is a line of the list
    list: str = ""  # a text file below the path: one clip a line
    clips: Literal["files", "folders"] = "files"  # folders: the images of a folder are the frames of a clip
    images: int | None = None  # how many there should be, frames counted one by one
    most: int | None = None  # how many photographs or clips are all that the benchmark takes
    crop: int | None = None  # side of the central square that is used

    @property
    def takes(self) -> int | None:
        """Returns how many images or frames the benchmark takes; None where only the files could tell."""
        return self.most * (len(self.files) if self.clips == "folders" else 1) if self.most else self.images

    def folder(self) -> Path:
        """Returns the folder of the files, whether or not it exists."""
        if self.package is None:
            return data_folder() / self.path
        spec = find_spec(self.package)  # does not import the package
        if spec is None or spec.origin is None:
            raise BenchError(f"package {self.package} must be installed for this data set: run make setup")
        return Path(spec.origin).parent / self.path


class MetricSelection(_Strict):
    """Which metrics a preset runs."""

    embedded: bool = False  # only those that need no download
    cost: tuple[Literal["light", "heavy"], ...] = ("light", "heavy")
    trained: bool = True  # also METRIC+TRAINING

    def takes(self, entry: Entry) -> bool:
        """Tells whether the preset runs this metric."""
        if entry.trained and not self.trained:
            return False
        downloads = any(not weight.startswith("weights/") for weight in entry.fields.get("weights", ()))
        return not (self.embedded and downloads) and entry.fields.get("cost", "light") in self.cost


class AttackSelection(_Strict):
    """Which attacks a preset runs."""

    suite: tuple[Literal["base", "wide"], ...] = ("base", "wide")

    def takes(self, entry: Entry) -> bool:
        """Tells whether the preset runs this attack."""
        return entry.fields.get("suite") in self.suite


class Preset(_Strict):
    """How much is run. The defaults are what a run without a preset does."""

    datasets: tuple[str, ...] = ("sample",)
    limit: Annotated[int, Field(ge=1)] | None = None  # photographs or clips per data set
    frames: Annotated[int, Field(ge=1)] | None = None  # of each video, from its beginning
    metrics: MetricSelection = MetricSelection()
    attacks: AttackSelection = AttackSelection()
    variants: bool = True
    jpeg: Annotated[tuple[Annotated[int, Field(ge=1, le=100)] | Literal["none"], ...], Field(min_length=1)] = (50,)
    train: tuple[str, ...] = ()  # the training sets of universal attacks; without one, these are left out
    train_limit: Annotated[int, Field(ge=1)] | None = None  # images of each
    gpu_hours: Annotated[float, Field(gt=0)] | None = None  # that one pipeline may spend
    defences: tuple[Guard, ...] = ()  # that judge, each, the images that attack the bare metrics
    through: tuple[Guard, ...] = ()  # that stand before every metric: attacks go through them

    def entries(self, folder: str, names: str = "") -> list[Entry]:
        """Returns the entries to run; those that cannot be read are among them, so that they are told of.

        Args:
            folder: metrics or attacks.
            names: Names with commas, or all; empty for what the preset selects.

        Raises:
            BenchError: If a name is unknown.
        """
        found = self._selected(folder) if not names else self._named(folder, names)
        return [behind for entry in found for behind in self._behind(entry)] if folder == "metrics" else found

    def _selected(self, folder: str) -> list[Entry]:
        selection = self.metrics if folder == "metrics" else self.attacks
        return [entry for entry in self._possible(folder) if entry.problem or selection.takes(entry)]

    def _named(self, folder: str, names: str) -> list[Entry]:
        wanted = [name.strip() for name in names.split(",") if name.strip()]
        if not wanted:
            raise BenchError(f"names must stand between commas; got {names!r}: write one, or all")
        if wanted == ["all"]:
            return self._possible(folder)
        for name in wanted:
            if folder == "attacks" and name in self.untrained:
                raise BenchError(f"{name} must be fitted on a training set; got none: add --train, or another --preset")
        return [lookup.find(folder, name) for name in dict.fromkeys(wanted)]

    def _possible(self, folder: str) -> list[Entry]:
        left_out = self.untrained if folder == "attacks" else []
        return [entry for name, entry in lookup.entries(folder).items() if name not in left_out]

    def _behind(self, metric: Entry) -> list[Entry]:
        """Returns the metric behind each defence that is attacked through; as it is where there is none."""
        if metric.problem or metric.purified or not self.through:
            return [metric]
        return [lookup.find("metrics", f"{metric.name}+{guard}") for guard in self.through]

    @property
    def untrained(self) -> list[str]:
        """Returns the attacks that are left out because there is nothing to fit them on."""
        attacks = {} if self.train else lookup.entries("attacks")
        return [name for name, entry in attacks.items() if entry.fields.get("family") == "universal"]


class Runner(_Strict):
    """The GPUs of one kind; a runner's tag is the kind's name."""

    gpus: Annotated[int, Field(ge=1)]  # how many there are, on all machines
    memory: Annotated[int, Field(ge=1)]  # GB of each
    title: str = ""  # of the GPU, for people; empty: the tag
    per_machine: Annotated[int, Field(ge=1)] = 2  # GPUs in one machine
    host_memory: Annotated[int, Field(ge=1)] = 32  # GB of main memory that a job may use


class Config(_Strict):
    """The whole file."""

    datasets: dict[str, DatasetConfig]
    presets: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], Preset]
    runners: Annotated[dict[RunnerTag, Runner], Field(min_length=1)]

    def preset(self, name: str) -> Preset:
        """Returns a preset; that of the empty name is the defaults.

        Raises:
            BenchError: If there is none of that name.
        """
        if not name:
            return Preset()
        if name not in self.presets:
            raise BenchError(f"no preset is named {name!r}: {suggestion(name, self.presets)}")
        return self.presets[name]


@cache
def load() -> Config:
    """Returns the configuration.

    Raises:
        BenchError: If the file is damaged; tells where.
    """
    try:
        return Config.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise BenchError(f"{FILE.name} must be valid: {' '.join(str(error).split())}") from error


def data_folder() -> Path:
    """Returns the folder that holds the downloaded data sets."""
    return Path(os.environ.get("METRIC_ROBUSTNESS_DATA", places.project() / "data")).expanduser()
