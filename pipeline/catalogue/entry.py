"""What the catalogue knows of a metric, an attack or a defence: what its file declares."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from metric_robustness.pipeline import places, tokens
from metric_robustness.pipeline.catalogue import weight_paths
from metric_robustness.pipeline.errors import DataError

INSTALL = "install the package that it is in, or remove the import"


class DefendedAs(NamedTuple):
    """What METRIC+DEFENCE or METRIC+DEFENCE-PRESET is made of."""

    bare: Entry  # the metric
    defence: Entry  # what purifies its images, or trained it
    preset: str  # of the defence's settings; empty for its defaults


@dataclass(frozen=True)
class Entry:
    """A metric, an attack or a defence, as its file declares it."""

    name: str  # the file name, e.g. "maniqa"
    folder: str  # "metrics", "attacks" or "defences"
    title: str = ""  # the first line of the file's docstring
    kind: str = ""  # NR, FR, video; attack; defence (a purification), smoothing, ensemble or training
    fields: dict[str, Any] = field(default_factory=dict)  # literal class attributes, inherited ones too; `source`
    fingerprint: str = ""  # of everything the entry depends on, blind to comments, docstrings and layout
    problem: str = ""  # why the file cannot be used; empty when it can
    settings: dict[str, str] = field(default_factory=dict)  # the settings of an attack or a defence, as written
    defended: DefendedAs | None = None  # of METRIC+DEFENCE: its parts
    root: Path | None = None  # the folder of others, or the other checkout, that holds it; None: the benchmark

    @property
    def bare(self) -> Entry | None:
        """Returns the metric that a defended metric is made of."""
        return self.defended and self.defended.bare

    @property
    def defence(self) -> Entry | None:
        """Returns the purification or the training of a defended metric."""
        return self.defended and self.defended.defence

    @property
    def preset(self) -> str:
        """Returns the preset of a defended metric's defence; empty for the defence's defaults."""
        return self.defended.preset if self.defended else ""

    @property
    def trained(self) -> bool:
        """Returns whether a defence trained the metric: it has weights of its own, and nothing purifies its images."""
        return self.defence is not None and self.defence.kind == "training"

    @property
    def purified(self) -> bool:
        """Returns whether a defence purifies the images that the metric sees."""
        return self.defence is not None and not self.trained

    @property
    def network(self) -> Entry:
        """Returns the metric without its purification: the author's, or the one that a defence trained."""
        return self.bare.network if self.bare and self.purified else self

    @property
    def file(self) -> str:
        """Returns the path below the checkout of the file whose existence makes this an entry."""
        return f"{self.folder}/{self.fields['weights'][-1]}" if self.trained else f"{self.folder}/{self.name}.py"

    @property
    def parts(self) -> list[Entry]:
        """Returns the entries with files of their own: the metric and its purification, or this entry alone."""
        return [*self.bare.parts, self.defence] if self.bare and self.defence and self.purified else [self]

    @property
    def full_reference(self) -> bool:
        """Returns whether this is a metric that compares an image with its undistorted original."""
        return bool(self.fields.get("full_reference"))

    def load(self) -> Any:
        """Imports the file and returns its class.

        Raises:
            DataError: If the file cannot be used or does not import.
        """
        if self.problem:
            raise DataError(self.problem)
        tokens.hide()
        if self.bare:
            return self.bare.load()
        try:
            return _class_of(self._module())
        except ImportError as error:
            raise DataError(f"{self.folder}/{self.name}.py does not import: {error}: {INSTALL}") from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a contributor's file may raise anything, even SystemExit
            raise DataError(f"{self.folder}/{self.name}.py does not import: {type(error).__name__}: {error}") from error

    def missing_weights(self) -> list[str]:
        """Returns the names of declared weight files that are not on this machine."""
        return [
            weight
            for part in self.parts
            for weight in part.fields.get("weights", ())
            if not part.weights_file(weight).exists()
        ]

    def weights_file(self, weight: str) -> Path:
        """Returns where a weight file that it declares lies on this machine, or would."""
        return weights_path(weight, self.folder, self.root)

    def _module(self) -> ModuleType:
        """Imports the file; a file of others becomes a module of the benchmark's package.

        So Python never imports their folder as a package, since another one may be called metrics, and still finds the
        modules that their entries share.
        """
        folder = importlib.import_module(f"{places.PACKAGE}.{self.folder}")
        if self.root and (place := str(self.root / self.folder)) not in folder.__path__:
            folder.__path__.append(place)
        return importlib.import_module(f"{places.PACKAGE}.{self.folder}.{self.name}")


def _class_of(module: ModuleType) -> type:
    """Returns the one class that the module of an entry defines."""
    return next(each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__)


def weights_path(weight: str, folder: str = "metrics", root: Path | None = None) -> Path:
    """Returns where a declared weight file lies on this machine, or would lie once it is there.

    Args:
        weight: The declared name, in one of the forms that `weight_paths.weights_path` lists.
        folder: The folder of the entry that declares it.
        root: The folder or the other checkout to look in. Without it a file of ours is looked for in all roots; a new
            one belongs in the project.

    Raises:
        BenchError: If the name has none of these forms.
    """
    found = [weight_paths.weights_path(weight, each / folder) for each in ([root] if root else places.roots())]
    new = weight_paths.weights_path(weight, (root or places.project()) / folder)
    return next((path for path in found if path.exists()), new)
