"""Reads pipeline/benchmark.yml: the data sets, the presets and the GPU runners."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.errors import BenchError, invalid, suggestion
from metric_robustness.pipeline.files import parse_yaml

FILE = Path(__file__).with_name("benchmark.yml")


Quality: TypeAlias = int | Literal["none"]  # of the JPEG that full-reference metrics rate; none: they rate the original
DefenceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(-[a-z][a-z0-9_]*)?$")]  # DEFENCE or DEFENCE-PRESET
ALL = "all"
DefenceNames = Annotated[  # a preset may say all: every purification
    tuple[DefenceName, ...], BeforeValidator(lambda given: (ALL,) if given == ALL else given)
]
RunnerTag = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]  # safe in YAML: child pipelines contain it


class _ConfigModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatasetDownload(_ConfigModel):
    """The archive or clip that a data set is downloaded as, with the hash that others published."""

    url: str
    size: int | None = None  # in bytes
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None  # where nobody published a stronger hash

    @property
    def hash(self) -> tuple[str, str] | None:
        """Returns kind and value of the strongest hash that is known."""
        kinds = {"sha256": self.sha256, "md5": self.md5}
        return next(((kind, value) for kind, value in kinds.items() if value), None)

    @property
    def summary(self) -> str:
        """Returns address, size and hash in words."""
        size = "size not known" if self.size is None else f"{self.size:,} bytes"
        return f"{self.url} ({size}, {' '.join(self.hash) if self.hash else 'no hash was published'})"


class DatasetConfig(_ConfigModel):
    """Where a named data set lies and what it must hold.

    It has a field for every key of the file, without groups, which would hide the keys that a user may write.
    """

    title: str
    path: str
    licence: str = ""
    source: str = ""  # where to get it
    download: DatasetDownload | None = None  # None where there is no address of one file
    package: str | None = None  # an installed package that carries the files
    files: tuple[str, ...] = ()  # only these below the path; {line} stands for a line of the list
    list: str = ""  # a text file below the path: one clip a line
    clips: Literal["files", "folders"] = "files"  # folders: the images of a folder are the frames of a clip
    images: int | None = None  # how many there must be, frames counted one by one
    most: int | None = None  # the benchmark takes no more photographs or clips than this
    crop: int | None = None  # side in pixels of the central square that is used

    @property
    def takes(self) -> int | None:
        """Returns how many images or frames the benchmark takes; None where this depends on the files."""
        return self.most * (len(self.files) if self.clips == "folders" else 1) if self.most else self.images

    def folder(self) -> Path:
        """Returns the folder of the files, whether or not it exists."""
        if self.package is None:
            return data_folder() / self.path
        spec = find_spec(self.package)  # find_spec does not import the package
        if spec is None or spec.origin is None:
            raise BenchError(f"package {self.package} must be installed for this data set: run make setup")
        return Path(spec.origin).parent / self.path


class MetricSelection(_ConfigModel):
    """Which metrics a preset runs."""

    embedded: bool = False  # only metrics that need no download
    cost: tuple[Literal["light", "heavy"], ...] = ("light", "heavy")
    trained: bool = True  # also those that a robust training made, METRIC+TRAINING

    def takes(self, entry: Entry) -> bool:
        """Returns whether the preset runs this metric."""
        if entry.trained and not self.trained:
            return False
        downloads = any(not weight.startswith("weights/") for weight in entry.fields.get("weights", ()))
        return not (self.embedded and downloads) and entry.fields.get("cost", "light") in self.cost


class AttackSelection(_ConfigModel):
    """Which attacks a preset runs."""

    suite: tuple[Literal["base", "strong", "wide"], ...] = ("base", "strong", "wide")

    def takes(self, entry: Entry) -> bool:
        """Returns whether the preset runs this attack."""
        return entry.fields.get("suite") in self.suite


class Preset(_ConfigModel):
    """How much is run; the defaults are what a run without a preset does.

    It has a field for every key of the file, for the same reason as DatasetConfig.
    """

    datasets: tuple[str, ...] = ("sample",)
    limit: Annotated[int, Field(ge=1)] | None = None  # photographs or clips per data set
    frames: Annotated[int, Field(ge=1)] | None = None  # of each video, from its beginning
    metrics: MetricSelection = MetricSelection()
    attacks: AttackSelection = AttackSelection()
    variants: bool | tuple[str, ...] = True  # whether variants of attacks are run, or the names of those that are
    budgets: tuple[Annotated[int, Field(ge=1, le=255)], ...] = ()  # in 255ths: searches go on within each of them
    jpeg: Annotated[tuple[Annotated[int, Field(ge=1, le=100)] | Literal["none"], ...], Field(min_length=1)] = (50,)
    train: tuple[str, ...] = ()  # the training sets of universal attacks, which are not run without one
    train_limit: Annotated[int, Field(ge=1)] | None = None  # images of each
    gpu_hours: Annotated[float, Field(gt=0)] | None = None  # one pipeline may spend no more
    defences: DefenceNames = ()  # the metric with each of them also scores the images that attacked it bare
    through: DefenceNames = ()  # instead of a bare metric, attack it with each of them before it

    def entries(self, folder: str, names: str = "") -> list[Entry]:
        """Returns the entries to run; also those that cannot be read, so that the run shows their problem.

        Args:
            folder: metrics or attacks.
            names: Names with commas, or all; empty for what the preset selects.

        Raises:
            BenchError: If a name is unknown, or an attack needs a training set and there is none.
        """
        found = self._selected(folder) if not names else self._named(folder, names)
        return [metric for entry in found for metric in self._through_each(entry)] if folder == "metrics" else found

    def _selected(self, folder: str) -> list[Entry]:
        selection = self.metrics if folder == "metrics" else self.attacks
        return [entry for entry in self._possible(folder) if entry.problem or selection.takes(entry)]

    def _named(self, folder: str, names: str) -> list[Entry]:
        wanted = [name.strip() for name in names.split(",") if name.strip()]
        if not wanted:
            raise BenchError(f"names must be separated by commas; got {names!r}: write one, or all")
        if wanted == ["all"]:
            return self._possible(folder)
        found = [lookup.find(folder, name) for name in dict.fromkeys(wanted)]
        for entry in [] if self.train else filter(_is_fitted, found):
            raise BenchError(
                f"{entry.name} must be fitted on a training set; got none: add --train, or another --preset"
            )
        return found

    def _possible(self, folder: str) -> list[Entry]:
        return [entry for entry in lookup.entries(folder).values() if self.train or not _is_fitted(entry)]

    def _through_each(self, metric: Entry) -> list[Entry]:
        """Returns the metric with each defence of `through`; the metric itself where there are none."""
        if metric.problem or metric.purified or not self.through:
            return [metric]
        return [lookup.find("metrics", f"{metric.name}+{defence}") for defence in self.through]

    @property
    def untrained(self) -> list[str]:
        """Returns the universal attacks, if there is no training set to fit them on."""
        attacks = {} if self.train else lookup.entries("attacks")
        return [name for name, entry in attacks.items() if _is_fitted(entry)]


def _is_fitted(entry: Entry) -> bool:
    return entry.fields.get("family") == "universal"


class Runner(_ConfigModel):
    """The GPUs of one kind; a runner's tag is the kind's name."""

    gpus: Annotated[int, Field(ge=1)]  # how many there are, on all machines
    memory: Annotated[int, Field(ge=1)]  # GB of each
    title: str = ""  # of the GPU, for people; empty: the tag
    per_machine: Annotated[int, Field(ge=1)] = 2  # GPUs in one machine
    host_memory: Annotated[int, Field(ge=1)] = 32  # GB of main memory that a job may use


class Config(_ConfigModel):
    """The whole file."""

    datasets: dict[str, DatasetConfig]
    presets: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], Preset]
    runners: Annotated[dict[RunnerTag, Runner], Field(min_length=1)]

    def preset(self, name: str) -> Preset:
        """Returns a preset, or the defaults if the name is empty; `all` defences are written out by name.

        Raises:
            BenchError: If no preset has that name, or the preset names a defence that does not exist.
        """
        if not name:
            return Preset()
        if name not in self.presets:
            raise BenchError(f"no preset is named {name!r}: {suggestion(name, self.presets)}")
        found = self.presets[name]
        try:
            names = {field: _defences(getattr(found, field)) for field in ("defences", "through")}
        except BenchError as error:
            raise BenchError(f"preset {name} of {FILE.name}: {error}") from error
        return found.model_copy(update=names)


def _defences(names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names of a preset's defences, each of which exists."""
    return tuple(lookup.purifications() if names == (ALL,) else lookup.defence_names(",".join(names)))


@cache
def load() -> Config:
    """Returns the configuration.

    Raises:
        BenchError: If the file is not valid; says where.
    """
    try:
        return Config.model_validate(parse_yaml(FILE))
    except ValidationError as error:
        raise BenchError(f"{FILE.name} must be valid: {invalid(error)}") from error


def data_folder() -> Path:
    """Returns the folder that holds the downloaded data sets."""
    return Path(os.environ.get("METRIC_ROBUSTNESS_DATA", places.project() / "data")).expanduser()
