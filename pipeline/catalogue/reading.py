"""Reads the file of an entry from its syntax tree, without importing it."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import Any

from pipeline.catalogue.entry import Entry
from pipeline.catalogue.fingerprint import fingerprint
from pipeline.catalogue.syntax import defaults, lineage_of, literals, parse
from pipeline.errors import BenchError

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
