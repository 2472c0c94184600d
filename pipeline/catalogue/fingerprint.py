"""The fingerprint of an entry: it changes with all that its numbers depend on, not with comments or layout."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from metric_robustness.pipeline.catalogue import weight_paths
from metric_robustness.pipeline.catalogue.syntax import parse, reached, search_path

DESCRIPTIVE = {"trained_on", "licence", "verified", "suite", "formula", "differs", "source"}
PLATFORM = {
    "torch",
    "torchvision",
    "numpy",
    "scipy",
}  # the stamp records their versions, which change last digits only


def fingerprint(path: Path, fields: dict[str, Any]) -> str:
    """Returns a digest of what an entry's numbers depend on.

    It covers the entry's file, all modules of ours that the file imports, directly or not, the contents of our own
    weights, the names of downloaded ones, and the locked versions of the packages that it uses.

    Args:
        path: The file of the entry.
        fields: The entry's literal class attributes.

    Returns:
        16 hexadecimal digits.
    """
    root = path.parents[1]
    digest, (modules, packages) = hashlib.sha256(), reached(path)
    # Sorted as text: the order of whole paths would depend on where the folders of others lie on this machine.
    for line in sorted(f"{module.parent.name}/{module.name}:{_canonical_file(module)}\n" for module in modules):
        digest.update(line.encode())
    locked = _locked(search_path(root)[0])
    for package in sorted(packages & locked.keys() - PLATFORM):
        digest.update(f"{package}=={locked[package]}\n".encode())
    for weight in fields.get("weights", ()):
        file = weight_paths.weights_path(weight, root / path.parent.name)
        own = weight.startswith("weights/") and file.is_file()  # a downloaded file is identified by its name
        digest.update(f"{weight}:{hashlib.sha256(file.read_bytes()).hexdigest() if own else ''}\n".encode())
    return digest.hexdigest()[:16]


def _canonical(node: Any) -> str:
    """Returns a syntax tree as text, without docstrings, positions and empty fields: equal on all Python versions."""
    if isinstance(node, list):
        return f"[{','.join(map(_canonical, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = []
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            code = value[1:] if ast.get_docstring(node, clean=False) is not None else value
            inside = isinstance(node, ast.ClassDef)  # a function's variable may have the same name
            value = [item for item in code if not (inside and _describes(item))]  # noqa: PLW2901
        if value not in (None, []) and name not in {"kind", "type_comment", "type_ignores", "ctx"}:
            parts.append(f"{name}={_canonical(value)}")
    return f"{type(node).__name__}({','.join(parts)})"


def _describes(node: Any) -> bool:
    """Returns whether a statement of a class only describes an entry, so that no number depends on it."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name in DESCRIPTIVE
    return False


def _canonical_file(path: Path) -> str:
    stat = path.stat()
    return _canonical_version(path, stat.st_mtime_ns, stat.st_size)


@cache
def _canonical_version(path: Path, _changed: int, _size: int) -> str:
    return _canonical(parse(path))


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
