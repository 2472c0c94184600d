"""What the catalogue knows of a metric, an attack or a defence: all that its file declares."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import places
from pipeline.catalogue import weight_paths
from pipeline.errors import DataError


@dataclass(frozen=True)
class Entry:
    """A metric, an attack or a defence, as its file declares it."""

    name: str  # the file name, e.g. "maniqa"
    folder: str  # "metrics", "attacks" or "defences"
    title: str = ""  # the first line of the file's docstring
    class_name: str = ""
    kind: str = ""  # NR, FR, video, attack, defence or training: a defence that trains the metric
    fields: dict[str, Any] = field(default_factory=dict)  # literal class attributes, inherited ones included
    fingerprint: str = ""  # of everything the entry depends on, blind to comments, docstrings and layout
    problem: str = ""  # why the file cannot be used; empty when it can
    settings: dict[str, str] = field(default_factory=dict)  # the settings of an attack or a defence, as written
    bare: Entry | None = None  # of a defended metric: the metric
    defence: Entry | None = None  # of a defended metric: what stands before it
    preset: str = ""  # of a defended metric: the defence's settings; empty for its defaults

    @property
    def trained(self) -> bool:
        """Tells whether its defence trained it, so that nothing stands before it and its weights are its own."""
        return self.defence is not None and self.defence.kind == "training"

    @property
    def purified(self) -> bool:
        """Tells whether a purification stands before it."""
        return self.defence is not None and not self.trained

    @property
    def network(self) -> Entry:
        """Returns the metric as it is behind all purifications: as its author made it, or trained by a defence."""
        return self.bare.network if self.bare and self.purified else self

    @property
    def file(self) -> str:
        """Returns the file that makes it an entry, below the checkout."""
        return f"{self.folder}/{self.fields['weights'][-1]}" if self.trained else f"{self.folder}/{self.name}.py"

    @property
    def parts(self) -> list[Entry]:
        """Returns the entries with files of their own that it is made of: itself, or metric and purifications."""
        return [*self.bare.parts, self.defence] if self.bare and self.defence and self.purified else [self]

    @property
    def full_reference(self) -> bool:
        """Tells whether it is a metric that compares with the undistorted original."""
        return bool(self.fields.get("full_reference"))

    def load(self) -> Any:
        """Imports the file and returns its class.

        Raises:
            DataError: If the file cannot be used or does not import.
        """
        if self.problem:
            raise DataError(self.problem)
        if self.bare:
            return self.bare.load()
        try:
            return getattr(importlib.import_module(f"{self.folder}.{self.name}"), self.class_name)
        except ImportError as error:
            raise DataError(f"{self.folder}/{self.name}.py does not import: {error}: install what it needs") from error
        except Exception as error:  # whatever a contributor's file raises costs only that entry
            raise DataError(f"{self.folder}/{self.name}.py does not import: {type(error).__name__}: {error}") from error

    def missing_weights(self) -> list[str]:
        """Returns the declared weight files that are not on this machine."""
        return [
            weight
            for part in self.parts
            for weight in part.fields.get("weights", ())
            if not weights_path(weight, part.folder).exists()
        ]


def weights_path(weight: str, folder: str = "metrics", root: Path | None = None) -> Path:
    """Returns where a declared weight file lies on this machine, or would; the forms of names are in `places`.

    Args:
        weight: The declared name.
        folder: The entry's folder.
        root: Another checkout than this one.

    Raises:
        BenchError: If the name is of none of the forms.
    """
    return weight_paths.weights_path(weight, (root or places.CODE) / folder)
