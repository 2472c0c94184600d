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

    The metrics include METRIC+TRAINING, made by a robust training, wherever its weights are.

    Args:
        folder: One of `FOLDERS`.
        root: The checkout, if it is not this one: that of another commit, for example.
    """
    home = (root or places.CODE) / folder
    found = {path.stem: read(path) for path in home.glob("*.py") if path.stem != "__init__" and not is_shared(path)}
    if folder == "metrics":
        for weights in home.glob("weights/*+*.safetensors"):
            with contextlib.suppress(BenchError):  # the metric or the training may be gone
                found[weights.stem] = _defended_metric(weights.stem, root or places.CODE)
    return {name: found[name] for name in sorted(found)}


def is_shared(path: Path) -> bool:
    """Returns whether a module is shared by the entries of its folder and is none itself: base.py, *_adapter.py."""
    return path.stem == "base" or path.stem.endswith("_adapter")


def find(folder: str, name: str) -> Entry:
    """Returns one entry; METRIC+DEFENCE and METRIC+DEFENCE-PRESET are metrics too.

    Raises:
        BenchError: If there is none of that name; names the nearest.
    """
    return _find(folder, name, places.CODE)


def _find(folder: str, name: str, root: Path) -> Entry:
    if folder == "metrics" and "+" in name:
        return _defended_metric(name, root)
    path = root / folder / f"{name}.py"
    if NAME.fullmatch(name) and path.is_file() and not is_shared(path):
        return read(path)  # this file alone, since planning asks often
    known = entries(folder, root)
    if name in known:
        return known[name]
    kind = folder.removesuffix("s")
    raise BenchError(f"no {kind} is named {name!r}: {suggestion(name, known)}")


def _defended_metric(name: str, root: Path) -> Entry:
    """Returns METRIC+DEFENCE or METRIC+DEFENCE-PRESET of a checkout."""
    bare_name, _, defence_name = name.rpartition("+")
    bare = _find("metrics", bare_name, root)
    defence, preset = _defence(defence_name, root)
    if defence.kind == "training":
        return trained(bare, defence, preset, root)
    if bare.purified:
        raise BenchError(f"{bare.name} has its purification; got {defence.name} too: write a defence that does both")
    return defended(bare, defence, preset)


def _defence(name: str, root: Path) -> tuple[Entry, str]:
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
        _defence(name, places.CODE)
    return wanted


def purifications() -> list[str]:
    """Returns the names of the defences that purify an image: neither trainings nor smoothings, which change scores.

    A defence whose file cannot be read is among them, so that its problem is shown.
    """
    return [name for name, entry in entries("defences").items() if entry.kind not in {"training", "smoothing"}]


def find_anywhere(name: str) -> Entry:
    """Returns the metric, attack or defence of that name.

    Raises:
        BenchError: If there is none; names the nearest.
    """
    known = {entry: folder for folder in FOLDERS for entry in entries(folder)}
    if name in known:
        return find(known[name], name)
    raise BenchError(f"no metric, attack or defence is named {name!r}: {suggestion(name, known)}")
