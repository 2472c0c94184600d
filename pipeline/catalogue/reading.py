"""Reads the file of an entry from its syntax tree, without importing it, and checks what it declares."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.catalogue.fingerprint import fingerprint
from metric_robustness.pipeline.catalogue.syntax import FOLDERS, defaults, imports, lineage_of, literals, parse
from metric_robustness.pipeline.errors import BenchError

NAME = re.compile(r"[a-z][a-z0-9_]*")
LINK = re.compile(r"https?://[^\s,;)]+")
KINDS = {
    "NoReference": "NR",
    "FullReference": "FR",
    "VideoMetric": "video",
    "Attack": "attack",
    "RobustTraining": "training",
    "Smoothing": "smoothing",
    "Ensemble": "ensemble",
    "Defence": "defence",
}


class Rule(NamedTuple):
    """What a field of an entry must be."""

    field: str
    allows: Callable[[Any], bool]
    must_be: str
    example: str = ""  # what may stand behind the `=`


def _of_type(kind: type, *fields: str) -> list[Rule]:
    """Returns the rules for fields of exactly one type: True must not pass as an int."""
    return [Rule(field, lambda value: type(value) is kind, f"of type {kind.__name__}") for field in fields]


def _is_range(value: Any) -> bool:
    match value:
        case (int() | float() as low, int() | float() as high):
            return math.isfinite(low) and low < high < math.inf
    return False


def _holds_names(value: Any) -> bool:
    return type(value) is tuple and all(isinstance(item, str) and item.isprintable() for item in value)


OPTIONAL = (  # for fields that an entry may lack
    *_of_type(bool, "full_reference", "differentiable", "batch_dependent", "random", "keeps_geometry", "small"),
    *_of_type(int, "smallest", "gpu_memory", "reference_context"),
    *_of_type(str, "trained_on", "licence", "verified", "suite", "formula", "differs", "source"),
    *_of_type(dict, "variants", "presets", "narrower", "scout"),
    Rule("weights", _holds_names, "of type tuple, of names"),
    Rule("needs", _holds_names, "of type tuple, of names"),
    Rule("cost", lambda value: value in ("light", "heavy"), '"light" or "heavy"'),
)
REQUIRED = {  # for fields that everything else relies on, by the entry's folder
    "metrics": (
        Rule("higher_is_better", lambda value: isinstance(value, bool), "True or False, written out", "True"),
        Rule(
            "score_range", _is_range, "(low, high), two numbers written out, the first below the second", "(0.0, 1.0)"
        ),
    ),
    "attacks": (
        Rule("access", lambda value: value in ("white", "black"), '"white" or "black"', '"white"'),
        Rule("family", lambda value: isinstance(value, str), 'one of those in attacks/base.py, such as "sign"'),
    ),
    "defences": (),
}


def read(path: Path) -> Entry:
    """Reads one file. What is wrong with it becomes the entry's `problem`, so that other entries stay usable."""
    folder, name = path.parent.name, path.stem
    try:
        return _read(path)
    except (SyntaxError, ValueError, BenchError, _InvalidError) as error:  # ValueError: the file is not UTF-8
        where = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
        reason = f"{error.msg}: correct the line" if isinstance(error, SyntaxError) else error
        return Entry(name=name, folder=folder, problem=f"{folder}/{name}.py{where}: {reason}")


class _InvalidError(Exception):
    """A file is not an entry; the message says what to change."""


def _read(path: Path) -> Entry:
    folder, name = path.parent.name, path.stem
    if not NAME.fullmatch(name):
        raise _InvalidError("an entry's name must match [a-z][a-z0-9_]*: rename the file")
    tree = parse(path)
    if any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree)):
        raise _InvalidError(
            f"it must import by full names, such as {places.PACKAGE}.{folder}.base; got a relative import"
        )
    title, _, body = (ast.get_docstring(tree) or "").partition("\n")
    title = title.rstrip(".")
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for module, _ in imports(tree):
        if module.split(".")[0] in FOLDERS:
            raise _InvalidError(f"it must import {places.PACKAGE}.{module}; got {module}: write the longer name")
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
    fields.setdefault("source", _source(body))
    return Entry(
        name,
        folder,
        title,
        kind,
        fields,
        fingerprint(path, fields),
        settings=settings,
        root=None if path.parents[1] == places.CODE else path.parents[1],
    )


def _source(body: str) -> str:
    """Returns what stands below the title up to the first link, which is the paper; empty where there is no link."""
    link = LINK.search(body)
    return " ".join(body[: link.end()].split()) if link else ""


def _require_metadata(folder: str, fields: dict[str, Any]) -> None:
    """Raises unless the required fields are there as literals, and all fields are what their rules ask for."""
    for rule in (*REQUIRED.get(folder, ()), *(rule for rule in OPTIONAL if rule.field in fields)):
        if rule.field not in fields:
            remedy = f"write {rule.field} = {rule.example}, or what it is, into the class" if rule.example else "add it"
            raise _InvalidError(f"{rule.field} must be {rule.must_be}; got no literal: {remedy}")
        if not rule.allows(fields[rule.field]):
            remedy = f"write {rule.field} = {rule.example}, or what it is" if rule.example else "correct it"
            raise _InvalidError(f"{rule.field} must be {rule.must_be}; got {fields[rule.field]!r}: {remedy}")
    for what in ("variant", "preset"):
        for name in fields.get(f"{what}s", {}):
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise _InvalidError(f"a {what}'s name must match [a-z][a-z0-9_]*; got {name!r}: rename it")
