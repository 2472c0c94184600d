"""Reads Python files of ours from their syntax trees, without executing them. Standard library only."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from metric_robustness.pipeline import places
from metric_robustness.pipeline.errors import BenchError

FOLDERS = places.FOLDERS


def lineage_of(path: Path, node: ast.ClassDef) -> list[ast.ClassDef]:
    """Returns a class of a file and the classes of ours that it inherits from, nearest first.

    A class that is reached twice stands at its last place: what inherits from a common base overrides the base.
    """
    return list({id(each): each for each in reversed(list(_reached(path, node, path.parents[1])))}.values())[::-1]


def _reached(path: Path, node: ast.ClassDef, root: Path) -> Iterator[ast.ClassDef]:
    yield node
    tree = parse(path)
    here = {item.name: (path, item) for item in tree.body if isinstance(item, ast.ClassDef)}
    for module, names in own_imports(tree, root):
        for item in parse(module).body:
            if isinstance(item, ast.ClassDef) and item.name in names:
                here[item.name] = (module, item)
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in here and here[base.id][1] is not node:
            yield from _reached(*here[base.id], root)


def literals(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    """Yields name and value of the class attributes that are literals."""
    for item in node.body:
        match item:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                with contextlib.suppress(ValueError, TypeError):  # no literal, or one such as {[]: 1}
                    yield name, ast.literal_eval(value)


def defaults(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yields name and default of the fields of a dataclass, the default as the file spells it."""
    for item in node.body:
        match item:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=ast.expr() as value):
                if not ast.unparse(kind).startswith("ClassVar"):
                    yield name, ast.unparse(value)


@cache
def imports(tree: ast.Module) -> list[tuple[str, set[str]]]:
    """Returns the modules that a file imports, each with the names taken from it, which may be modules too."""
    found: list[tuple[str, set[str]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.append((node.module, {alias.name for alias in node.names}))
            found += [(f"{node.module}.{alias.name}", set()) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, set()) for alias in node.names]
    return found


def own_imports(tree: ast.Module, root: Path) -> Iterator[tuple[Path, set[str]]]:
    """Yields the files of ours that a file imports, each with the names taken from it.

    Ours are the modules of the benchmark, those that a root adds to it, and those of the package that the root lies in.

    Raises:
        BenchError: If two roots add a module of one name, of which Python would take either.
    """
    top = _top(root)
    for module, names in imports(tree):
        package, *parts = module.split(".")
        if package == places.PACKAGE:
            path = _shared(module, parts, root)
        else:
            path = _beside(top, parts) if package == top.name else None
        if path:
            yield path, names


def _shared(module: str, parts: list[str], root: Path) -> Path | None:
    """Returns the file of a module of the benchmark's package."""
    if not parts or parts[0] not in FOLDERS:
        return None
    paths = (folder.joinpath(*parts).with_suffix(".py") for folder in search_path(root))
    found = [path for path in paths if path.is_file()]
    if len(found) > 1 and parts[-1] != "base":  # a base.py of a user is not looked at: the benchmark's comes first
        raise BenchError(f"{module} must be one file; it is {found[0]} and {found[1]}: rename one of the two")
    return found[0] if found else None


def _top(root: Path) -> Path:
    """Returns the folder of the outermost package that a root lies in; the root, if it lies in none."""
    while (root.parent / "__init__.py").is_file():
        root = root.parent
    return root


def _beside(top: Path, parts: list[str]) -> Path | None:
    """Returns the file of a module of a package, by the package's folder."""
    place = top.joinpath(*parts)
    paths = [place / "__init__.py", *([place.with_suffix(".py")] if parts else [])]
    return next((path for path in paths if path.is_file()), None)


def reached(path: Path) -> tuple[set[Path], set[str]]:
    """Returns the files of ours that a file imports, directly or not, with itself; and the packages that they import.

    Raises:
        SyntaxError: If one is not Python.
    """
    found, packages, queue = set[Path](), set[str](), [path]
    while queue:
        module = queue.pop()
        if module not in found:
            found.add(module)
            tree = parse(module)
            queue += [imported for imported, _ in own_imports(tree, path.parents[1])]
            packages |= {name.split(".")[0] for name, _ in imports(tree)}
    return found, packages


def search_path(root: Path) -> tuple[Path, ...]:
    """Returns where a file of a root finds the benchmark's modules; another checkout has its own."""
    return (root,) if root == places.CODE or root not in places.roots() else places.roots()


def uses_the_package(path: Path) -> bool:
    """Returns whether a file imports from the benchmark, since a folder called metrics may hold other things too."""
    try:
        return any(module.split(".")[0] == places.PACKAGE for module, _ in imports(parse(path)))
    except (SyntaxError, ValueError):
        return places.PACKAGE.encode() in path.read_bytes()
    except OSError:
        return False


def parse(path: Path) -> ast.Module:
    """Returns the syntax tree of a file as it is now.

    Raises:
        SyntaxError: If the file is not Python.
        ValueError: If the file is not UTF-8.
    """
    stat = path.stat()
    return _parse_version(path, stat.st_mtime_ns, stat.st_size)


@cache
def _parse_version(path: Path, _changed: int, _size: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))
