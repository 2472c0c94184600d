"""Finds metrics, attacks and defences by reading their files, without importing them. Standard library only."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pipeline import places
from pipeline.catalogue.defended import defended, trained
from pipeline.catalogue.entry import Entry
from pipeline.catalogue.reading import NAME, read
from pipeline.catalogue.syntax import FOLDERS
from pipeline.errors import BenchError, suggestion


def entries(folder: str, root: Path | None = None) -> dict[str, Entry]:
    """Returns every entry of a folder by name, also those with a problem.

    Metrics that a robust training made, METRIC+TRAINING, are among them where their weights are.

    Args:
        folder: One of `FOLDERS`.
        root: Another checkout than this one, such as that of another commit.
    """
    place = (root or places.CODE) / folder
    found = {path.stem: read(path) for path in place.glob("*.py") if path.stem != "__init__" and not is_shared(path)}
    if folder == "metrics":
        for weights in place.glob("weights/*+*.safetensors"):
            with contextlib.suppress(BenchError):  # of a metric or a training that is not there any more
                found[weights.stem] = _defended_metric(weights.stem, root or places.CODE)
    return {name: found[name] for name in sorted(found)}


def is_shared(path: Path) -> bool:
    """Tells whether a module serves the entries of its folder instead of being one: base.py and *_adapter.py."""
    return path.stem == "base" or path.stem.endswith("_adapter")


def find(folder: str, name: str) -> Entry:
    """Returns one entry; METRIC+DEFENCE and METRIC+DEFENCE-PRESET are metrics too.

    Raises:
        BenchError: If there is none of that name; tells the nearest names.
    """
    return _find(folder, name, places.CODE)


def _find(folder: str, name: str, root: Path) -> Entry:
    if folder == "metrics" and "+" in name:
        return _defended_metric(name, root)
    path = root / folder / f"{name}.py"
    if NAME.fullmatch(name) and path.is_file() and not is_shared(path):
        return read(path)  # this file alone: planning asks often
    known = entries(folder, root)
    if name in known:
        return known[name]
    kind = folder.removesuffix("s")
    raise BenchError(f"no {kind} is named {name!r}: {suggestion(name, known)}")


def _defended_metric(name: str, root: Path) -> Entry:
    """Returns METRIC+DEFENCE or METRIC+DEFENCE-PRESET of a checkout."""
    bare_name, _, defence_name = name.rpartition("+")
    kind, _, preset = defence_name.partition("-")
    bare, defence = _find("metrics", bare_name, root), _find("defences", kind, root)
    presets = defence.fields.get("presets", {})
    if preset and preset not in presets:
        raise BenchError(f"{defence.name} has no preset {preset!r}: {suggestion(preset, presets)}")
    if defence.kind == "training":
        return trained(bare, defence, preset, root)
    if bare.purified:
        raise BenchError(f"{bare.name} has its purification; got {defence.name} too: write a defence that does both")
    return defended(bare, defence, preset)


def defence_names(names: str) -> list[str]:
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
