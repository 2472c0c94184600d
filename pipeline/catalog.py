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
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.errors import BenchError, DataError
from pipeline.weights import places

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("metrics", "attacks", "defences")
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
DESCRIPTIVE = {"trained_on", "licence", "verified", "suite"}
PLATFORM = {"torch", "torchvision", "numpy", "scipy"}  # their versions move last digits only: the stamp records them
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
        last = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))["epochs"][-1]
        return f"photographs held out: SROCC {last['srocc']:.2f} with labels".replace("0.", ".")
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
    tree = _parse(path)
    title = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    if not title:
        raise _InvalidError("the file must begin with a docstring, whose first line is the title: add one")
    if len(classes) != 1:
        raise _InvalidError(f"the file must hold exactly one class; it holds {len(classes)}: move the others out")
    # Of a class that is reached twice the last place counts, so that a common base yields to all that inherit from it.
    lineage = list({id(node): (file, node) for file, node in reversed(list(_lineage(path, classes[0])))}.values())[::-1]
    kind = next((KINDS[node.name] for _, node in lineage if node.name in KINDS), "")
    if not kind:
        raise _InvalidError(f"{classes[0].name} must inherit from a class of {folder}/base.py: add it")
    fields: dict[str, Any] = {}
    settings: dict[str, str] = {}
    for _, node in reversed(lineage):
        fields |= dict(_literals(node))
        settings |= dict(_settings(node))
    _require_metadata(folder, fields)
    return Entry(name, folder, title, classes[0].name, kind, fields, _fingerprint(path, fields), settings=settings)


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


def _lineage(path: Path, node: ast.ClassDef) -> Iterator[tuple[Path, ast.ClassDef]]:
    """Yields the class and those it inherits from, as far as they are ours, nearest first."""
    yield path, node
    tree = _parse(path)
    here = {item.name: (path, item) for item in tree.body if isinstance(item, ast.ClassDef)}
    for module, names in _own_imports(tree, path.parents[1]):
        for item in _parse(module).body:
            if isinstance(item, ast.ClassDef) and item.name in names:
                here[item.name] = (module, item)
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in here and here[base.id][1] is not node:
            yield from _lineage(*here[base.id])


def _literals(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    """Yields the class attributes whose values are literals."""
    for item in node.body:
        match item:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                with contextlib.suppress(ValueError):
                    yield name, ast.literal_eval(value)


def _settings(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yields the fields of a dataclass with their defaults, as they are written."""
    for item in node.body:
        match item:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=ast.expr() as value):
                if not ast.unparse(kind).startswith("ClassVar"):
                    yield name, ast.unparse(value)


@cache
def _imports(tree: ast.Module) -> list[tuple[str, set[str]]]:
    """Returns the modules that a file imports, each with the names taken from it, which may be modules too."""
    found: list[tuple[str, set[str]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.append((node.module, {alias.name for alias in node.names}))
            found += [(f"{node.module}.{alias.name}", set()) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, set()) for alias in node.names]
    return found


def _own_imports(tree: ast.Module, root: Path) -> Iterator[tuple[Path, set[str]]]:
    """Yields the modules of ours among them."""
    for module, names in _imports(tree):
        parts = module.split(".")
        if parts[0] in FOLDERS and (path := root.joinpath(*parts).with_suffix(".py")).is_file():
            yield path, names


def _fingerprint(path: Path, fields: dict[str, Any]) -> str:
    """Returns a digest of the file, the modules of ours it imports, its weights, and the packages that hold metrics."""
    root = path.parents[1]
    digest, seen, packages, queue = hashlib.sha256(), set(), set(), [path]
    while queue:
        module = queue.pop()
        if module not in seen:
            seen.add(module)
            tree = _parse(module)
            queue += [imported for imported, _ in _own_imports(tree, root)]
            packages |= {name.split(".")[0] for name, _ in _imports(tree)}
    for module in sorted(seen):
        digest.update(f"{module.parent.name}/{module.name}:{_canonical_file(module)}\n".encode())
    locked = _locked(root)
    for package in sorted(packages & locked.keys() - PLATFORM):
        digest.update(f"{package}=={locked[package]}\n".encode())
    for weight in fields.get("weights", ()):
        file = weights_path(weight, path.parent.name, root)
        own = weight.startswith("weights/") and file.is_file()  # a downloaded file is known by its name
        digest.update(f"{weight}:{hashlib.sha256(file.read_bytes()).hexdigest() if own else ''}\n".encode())
    return digest.hexdigest()[:16]


def _canonical(node: Any) -> str:
    """Writes a syntax tree without docstrings, positions and empty fields: the same on every Python version."""
    if isinstance(node, list):
        return f"[{','.join(map(_canonical, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = []
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            code = value[1:] if ast.get_docstring(node, clean=False) is not None else value
            value = [item for item in code if not _describes(item)]  # noqa: PLW2901
        if value not in (None, []) and name not in {"kind", "type_comment", "type_ignores", "ctx"}:
            parts.append(f"{name}={_canonical(value)}")
    return f"{type(node).__name__}({','.join(parts)})"


def _describes(node: Any) -> bool:
    """Tells whether a statement only says something about an entry, on which no number depends."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name in DESCRIPTIVE
    return False


def _parse(path: Path) -> ast.Module:
    stat = path.stat()
    return _parse_version(path, stat.st_mtime_ns, stat.st_size)


def _canonical_file(path: Path) -> str:
    stat = path.stat()
    return _canonical_version(path, stat.st_mtime_ns, stat.st_size)


@cache
def _parse_version(path: Path, _changed: int, _size: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def _canonical_version(path: Path, changed: int, size: int) -> str:
    return _canonical(_parse_version(path, changed, size))


def _locked(root: Path) -> dict[str, str]:
    """Returns the version of each package in the lock file, by import name where that is the package's name."""
    lock = root / "requirements.lock"
    if not lock.is_file():
        return {}
    stat = lock.stat()
    return _locked_version(lock, stat.st_mtime_ns, stat.st_size)


@cache
def _locked_version(lock: Path, _changed: int, _size: int) -> dict[str, str]:
    lines = lock.read_text(encoding="utf-8").splitlines()
    pins = (line.split("==", 1) for line in lines if "==" in line and not line.startswith("#"))
    return {package.lower().replace("-", "_"): version.strip() for package, version in pins}


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
