"""Finds metrics, attacks and defences by reading their files, without importing them. Standard library only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue.defended import defended, trained
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.catalogue.reading import NAME, read
from metric_robustness.pipeline.catalogue.syntax import FOLDERS, uses_the_package
from metric_robustness.pipeline.errors import BenchError, suggestion


def entries(folder: str, root: Path | None = None) -> dict[str, Entry]:
    """Returns every entry of a folder by name, also those with a problem.

    The metrics include each METRIC+TRAINING, made by a robust training, whose weights are there.

    Args:
        folder: One of `FOLDERS`.
        root: Another checkout, that of another commit for example, instead of the benchmark and all other roots.

    Raises:
        BenchError: If the project cannot be used.
    """
    files: dict[str, list[Path]] = {}
    for path in _files(folder, "*.py", root):
        files.setdefault(path.stem, []).append(path)
    found = {name: _read_one(paths) for name, paths in files.items()}
    if folder == "metrics":
        for weights in [path for each in _roots(root) for path in (each / folder).glob("weights/*+*.safetensors")]:
            with contextlib.suppress(BenchError):  # the metric or the training may be gone
                found[weights.stem] = _defended_metric(weights.stem, root)
    return {name: found[name] for name in sorted(found)}


def _roots(root: Path | None) -> tuple[Path, ...]:
    return (root,) if root else places.roots()


def _files(folder: str, pattern: str, root: Path | None) -> Iterator[Path]:
    """Yields the files of entries, the benchmark's before all others.

    A user may have a package called metrics for other purposes, so a file there that imports nothing from the benchmark
    is not an entry.
    """
    for each in _roots(root):
        of_others = root is None and each != places.CODE
        for path in (each / folder).glob(pattern):
            if path.stem != "__init__" and not is_shared(path) and not (of_others and not uses_the_package(path)):
                yield path


def _read_one(paths: list[Path]) -> Entry:
    """Reads the one file of a name; if there are two, the entry's problem says so."""
    if len(paths) == 1:
        return read(paths[0])
    folder, name = paths[1].parent.name, paths[1].stem
    return Entry(name, folder, problem=f"{paths[1]} has the name of {paths[0]}: rename one of the two files")


def is_shared(path: Path) -> bool:
    """Returns whether a module is no entry, but code that the entries of its folder share: base.py, *_adapter.py."""
    return path.stem == "base" or path.stem.endswith("_adapter")


def find(folder: str, name: str) -> Entry:
    """Returns one entry; METRIC+DEFENCE and METRIC+DEFENCE-PRESET are metrics too.

    Raises:
        BenchError: If there is none of that name; names the nearest.
    """
    return _find(folder, name, None)


def _find(folder: str, name: str, root: Path | None) -> Entry:
    if folder == "metrics" and "+" in name:
        return _defended_metric(name, root)
    if NAME.fullmatch(name) and (paths := list(_files(folder, f"{name}.py", root))):
        return _read_one(paths)  # reads this file alone, since planning asks often
    known = entries(folder, root)
    if name in known:
        return known[name]
    kind = folder.removesuffix("s")
    raise BenchError(f"no {kind} is named {name!r}: {_unused_file(name, (folder,)) or suggestion(name, known)}")


def _unused_file(name: str, folders: tuple[str, ...]) -> str:
    """Returns what to change in the user's own file of that name, which is no entry; empty if there is none."""
    for path in (root / folder / f"{name}.py" for root in _roots(None) for folder in folders):
        if NAME.fullmatch(name) and path.is_file() and not is_shared(path):
            wanted = f"{places.PACKAGE}.{path.parent.name}.base"
            return f"{path} imports nothing from {places.PACKAGE}: inherit from a class of {wanted}"
    return ""


def _defended_metric(name: str, root: Path | None) -> Entry:
    """Returns METRIC+DEFENCE or METRIC+DEFENCE-PRESET of a checkout."""
    bare, _, defence = name.rpartition("+")
    return behind(_find("metrics", bare, root), defence, root)


def behind(bare: Entry, name: str, root: Path | None = None) -> Entry:
    """Returns a metric with a defence of the name DEFENCE or DEFENCE-PRESET, as METRIC+DEFENCE.

    Args:
        bare: The metric.
        name: The defence's.
        root: Another checkout that holds both, instead of the benchmark and all other roots.

    Raises:
        BenchError: If there is no such defence, or it cannot stand before this metric.
    """
    defence, preset = _defence(name, root)
    if defence.kind == "training":
        return trained(bare, defence, preset, root)
    if bare.purified:
        raise BenchError(f"{bare.name} has its purification; got {defence.name} too: write a defence that does both")
    return defended(bare, defence, preset)


def _defence(name: str, root: Path | None) -> tuple[Entry, str]:
    """Returns the defence of DEFENCE or DEFENCE-PRESET, and the name of its preset."""
    kind, _, preset = name.partition("-")
    defence = _find("defences", kind, root)
    presets = defence.fields.get("presets", {})
    if preset and preset not in presets:
        raise BenchError(f"{defence.name} has no preset {preset!r}: {suggestion(preset, presets)}")
    return defence, preset


def defence_names(names: str) -> list[str]:
    """Returns the names of defences, each DEFENCE or DEFENCE-PRESET, without repetitions.

    Args:
        names: Names with commas; or `all`, for every defence but the robust trainings, which serve only the metrics
            that were trained.

    Raises:
        BenchError: If there is no such defence; names the nearest.
    """
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if wanted == ["all"]:
        return [name for name, entry in entries("defences").items() if entry.kind != "training"]
    for name in wanted:
        _defence(name, None)
    return wanted


def purifications() -> list[str]:
    """Returns the names of the defences that purify an image: no training, and none that scores many copies.

    A defence whose file cannot be read is among them, so that the reader sees its problem.
    """
    return [name for name, entry in entries("defences").items() if entry.kind == "defence" or entry.problem]


def find_anywhere(name: str) -> Entry:
    """Returns the metric, attack or defence of that name.

    Raises:
        BenchError: If there is none; names the nearest.
    """
    known = {entry: folder for folder in FOLDERS for entry in entries(folder)}
    if name in known:
        return find(known[name], name)
    told = _unused_file(name, FOLDERS) or suggestion(name, known)
    raise BenchError(f"no metric, attack or defence is named {name!r}: {told}")
