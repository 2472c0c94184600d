"""Finds metrics, attacks and defences by reading their files, without importing them. Standard library only."""

from __future__ import annotations

import ast
import contextlib
import difflib
import hashlib
import importlib
import json
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.errors import BenchError, DataError
from pipeline.fingerprint import fingerprint
from pipeline.syntax import FOLDERS, defaults, lineage_of, literals, parse
from pipeline.weights import places

ROOT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"[a-z][a-z0-9_]*")
TYPES = {
    **dict.fromkeys(
        ("full_reference", "differentiable", "batch_dependent", "random", "keeps_geometry", "small"),
        bool,
    ),
    **dict.fromkeys(("smallest", "gpu_memory", "reference_context"), int),
    **dict.fromkeys(("trained_on", "licence", "verified", "suite"), str),
    **dict.fromkeys(("weights", "needs"), tuple),
    **dict.fromkeys(("variants", "presets"), dict),
}
KINDS = {
    **{"NoReference": "NR", "FullReference": "FR", "VideoMetric": "video", "Attack": "attack"},
    **{"RobustTraining": "training", "Defence": "defence"},
}


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


def entries(folder: str, root: Path | None = None) -> dict[str, Entry]:
    """Returns every entry of a folder by name, also those with a problem.

    Metrics that a robust training made, METRIC+TRAINING, are among them where their weights are.

    Args:
        folder: One of `FOLDERS`.
        root: Another checkout than this one, such as that of another commit.
    """
    place = (root or ROOT) / folder
    found = {path.stem: read(path) for path in place.glob("*.py") if path.stem != "__init__" and not is_shared(path)}
    if folder == "metrics":
        for weights in place.glob("weights/*+*.safetensors"):
            with contextlib.suppress(BenchError):  # of a metric or a training that is not there any more
                found[weights.stem] = _behind(weights.stem, root or ROOT)
    return {name: found[name] for name in sorted(found)}


def is_shared(path: Path) -> bool:
    """Tells whether a module serves the entries of its folder instead of being one: base.py and *_adapter.py."""
    return path.stem == "base" or path.stem.endswith("_adapter")


def find(folder: str, name: str) -> Entry:
    """Returns one entry; METRIC+DEFENCE and METRIC+DEFENCE-PRESET are metrics too.

    Raises:
        BenchError: If there is none of that name; tells the nearest names.
    """
    return _find(folder, name, ROOT)


def _find(folder: str, name: str, root: Path) -> Entry:
    if folder == "metrics" and "+" in name:
        return _behind(name, root)
    path = root / folder / f"{name}.py"
    if NAME.fullmatch(name) and path.is_file() and not is_shared(path):
        return read(path)  # this file alone: planning asks often
    known = entries(folder, root)
    if name in known:
        return known[name]
    kind = folder.removesuffix("s")
    raise BenchError(f"no {kind} is named {name!r}: {suggestion(name, known)}")


def _behind(name: str, root: Path) -> Entry:
    """Returns METRIC+DEFENCE or METRIC+DEFENCE-PRESET of a checkout."""
    before, _, guard = name.rpartition("+")
    kind, _, preset = guard.partition("-")
    bare, defence = _find("metrics", before, root), _find("defences", kind, root)
    presets = defence.fields.get("presets", {})
    if preset and preset not in presets:
        raise BenchError(f"{defence.name} has no preset {preset!r}: {suggestion(preset, presets)}")
    if defence.kind == "training":
        return _trained(bare, defence, preset, root)
    if bare.purified:
        raise BenchError(f"{bare.name} has its purification; got {defence.name} too: write a defence that does both")
    return defended(bare, defence, preset)


def _trained(bare: Entry, defence: Entry, preset: str, root: Path) -> Entry:
    """Returns the metric that a robust training made of another: a metric like any other, with weights of its own."""
    name = f"{bare.name}+{defence.name}" + (f"-{preset}" if preset else "")
    if bare.defence:
        raise BenchError(f"{defence.name} trains a metric as it is; got {bare.name}: put it right after the metric")
    weights = f"weights/{name}.safetensors"
    file = weights_path(weights, bare.folder, root)
    own = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    heads = [entry.title.partition(":")[0] for entry in (bare, defence)]
    return replace(
        bare,
        name=name,
        title=f"{heads[0]} after {heads[1]}" + (f" ({preset})" if preset else ""),
        fields=bare.fields | {"weights": (*bare.fields.get("weights", ()), weights), "verified": _seen(file)},
        fingerprint=hashlib.sha256(f"{bare.fingerprint} {weights} {own}".encode()).hexdigest()[:16],
        problem=bare.problem or defence.problem,
        bare=bare,
        defence=defence,
        preset=preset,
    )


def _seen(weights: Path) -> str:
    """Returns what the file beside weights says of how well they do, in the manner of an entry's `verified`."""
    try:
        made = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
        learned = "opinions" if isinstance(made["labels"], str) else "labels"
        return f"photographs held out: SROCC {made['epochs'][-1]['srocc']:.2f} with {learned}".replace("0.", ".")
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def defended(bare: Entry, defence: Entry, preset: str = "") -> Entry:
    """Returns the metric that looks at an image through a defence."""
    guard = f"{defence.name}-{preset}" if preset else defence.name
    heads = [entry.title.partition(":")[0] for entry in (bare, defence)]
    either = [bare.fields, defence.fields]
    return replace(
        bare,
        name=f"{bare.name}+{guard}",
        title=f"{heads[0]} behind {heads[1]}" + (f" ({preset})" if preset else ""),
        fields=bare.fields
        | {
            "cost": "heavy" if any(fields.get("cost") == "heavy" for fields in either) else "light",
            "gpu_memory": bare.fields.get("gpu_memory", 8) + defence.fields.get("gpu_memory", 0),
        },
        fingerprint=hashlib.sha256(f"{bare.fingerprint} {defence.fingerprint} {preset}".encode()).hexdigest()[:16],
        problem=bare.problem or defence.problem,
        bare=bare,
        defence=defence,
        preset=preset,
    )


def guards(names: str) -> list[str]:
    """Returns the defences, each DEFENCE or DEFENCE-PRESET, of names with commas, or of all that purify.

    A robust training stands before those metrics only that were trained, so it is named where it is wanted.

    Raises:
        BenchError: If there is no such defence; tells the nearest names.
    """
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for name in wanted:
        if name != "all":
            find("defences", name.partition("-")[0])
    if wanted != ["all"]:
        return wanted
    return [name for name, entry in entries("defences").items() if entry.kind != "training"]


def find_anywhere(name: str) -> Entry:
    """Returns the metric, attack or defence of that name.

    Raises:
        BenchError: If there is none; tells the nearest names.
    """
    known = {entry: folder for folder in FOLDERS for entry in entries(folder)}
    if name in known:
        return find(known[name], name)
    raise BenchError(f"no metric, attack or defence is named {name!r}: {suggestion(name, known)}")


def suggestion(name: str, known: dict[str, Any]) -> str:
    """Returns what to try instead of an unknown name."""
    close = difflib.get_close_matches(name.lower(), known, n=3)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known) or 'none yet'}"


def read(path: Path) -> Entry:
    """Reads one file; what is wrong with it becomes the entry's `problem`, so that it spoils nothing else."""
    folder, name = path.parent.name, path.stem
    try:
        return _read(path)
    except (SyntaxError, ValueError, BenchError, _InvalidError) as error:  # ValueError: not UTF-8
        where = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
        reason = error.msg if isinstance(error, SyntaxError) else error
        return Entry(name=name, folder=folder, problem=f"{folder}/{name}.py{where}: {reason}")


class _InvalidError(Exception):
    """A file that is not an entry."""


def _read(path: Path) -> Entry:
    folder, name = path.parent.name, path.stem
    if not NAME.fullmatch(name):
        raise _InvalidError("an entry's name must match [a-z][a-z0-9_]*: rename the file")
    tree = parse(path)
    title = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    if not title:
        raise _InvalidError("the file must begin with a docstring, whose first line is the title: add one")
    if len(classes) != 1:
        raise _InvalidError(f"the file must hold exactly one class; it holds {len(classes)}: move the others out")
    lineage = lineage_of(path, classes[0])
    kind = next((KINDS[node.name] for node in lineage if node.name in KINDS), "")
    if not kind:
        raise _InvalidError(f"{classes[0].name} must inherit from a class of {folder}/base.py: add it")
    fields: dict[str, Any] = {}
    settings: dict[str, str] = {}
    for node in reversed(lineage):
        fields |= dict(literals(node))
        settings |= dict(defaults(node))
    _require_metadata(folder, fields)
    return Entry(name, folder, title, classes[0].name, kind, fields, fingerprint(path, fields), settings=settings)


def _require_metadata(folder: str, fields: dict[str, Any]) -> None:
    """Raises unless the metadata that everything else relies on is there, and literal."""
    for name, kind in TYPES.items():
        if name in fields and type(fields[name]) is not kind:
            raise _InvalidError(f"{name} must be of type {kind.__name__}; got {fields[name]!r}: correct it")
    if folder == "metrics":
        if not isinstance(fields.get("higher_is_better"), bool):
            raise _InvalidError("higher_is_better must be True or False, written out: add it to the class")
        match fields.get("score_range"):
            case (int() | float() as low, int() | float() as high) if math.isfinite(low) and low < high < math.inf:
                pass
            case other:
                raise _InvalidError(f"score_range must be (low, high), two numbers written out; got {other!r}: add it")
    if folder == "attacks":
        if fields.get("access") not in {"white", "black"}:
            raise _InvalidError('access must be "white" or "black": add it to the class')
        if not isinstance(fields.get("family"), str):
            raise _InvalidError('family must be one of those in attacks/base.py, such as "sign": add it to the class')
    for what in ("variant", "preset"):
        for name in fields.get(f"{what}s", {}):
            if not NAME.fullmatch(name):
                raise _InvalidError(f"a {what}'s name must match [a-z][a-z0-9_]*; got {name!r}: rename it")


def weights_path(weight: str, folder: str = "metrics", root: Path | None = None) -> Path:
    """Returns where a declared weight file lies on this machine, or would; the forms of names are in `places`.

    Args:
        weight: The declared name.
        folder: The entry's folder.
        root: Another checkout than this one.

    Raises:
        BenchError: If the name is of none of the forms.
    """
    return places.weights_path(weight, (root or ROOT) / folder)
