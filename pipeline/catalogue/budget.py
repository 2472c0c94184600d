"""Reads from the syntax tree what an attack may spend on one image: what its `budget` returns, without importing it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from typing import Any

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.catalogue.syntax import lineage_of, own_imports, parse

FUNCTIONS: Mapping[str, Callable[[Any], int]] = {"len": len, "ceil": ceil}
OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


def budget(attack: Entry, changes: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Returns the queries and the gradients of one image, by these names.

    A number where the file's `budget` is arithmetic on settings, else the expression as the file spells it.

    Args:
        attack: An attack without a problem.
        changes: Settings of a variant.
    """
    path = (attack.root or places.CODE) / attack.folder / f"{attack.name}.py"
    tree = parse(path)
    (own,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    functions = (node for each in lineage_of(path, own) for node in each.body if isinstance(node, ast.FunctionDef))
    spends = next(node for node in functions if node.name == "budget" and any(_returned(node)))
    returned = _returned(spends)[-1]
    names = dict(zip(("queries", "gradients"), returned.args, strict=False))
    names |= {keyword.arg: keyword.value for keyword in returned.keywords if keyword.arg}
    known = {**_constants(tree, attack.root or places.CODE), **attack.settings, **_locals(spends)}
    return {name: _shown(node, known, changes or {}) for name, node in names.items()}


def default_of(entry: Entry, setting: str) -> Any:
    """Returns the default of a setting of an attack; None where the file has none, or it is no plain arithmetic."""
    try:
        return _value(ast.parse(entry.settings[setting], mode="eval").body, entry.settings, {})
    except (LookupError, TypeError, ValueError, ArithmeticError):
        return None


def _constants(tree: ast.Module, root: Path) -> dict[str, str]:
    """Returns the constants of a file, and those that it imports from others of ours, as the files spell them."""
    imported = [(parse(path), names) for path, names in own_imports(tree, root)]
    return {
        target.id: ast.unparse(node.value)
        for module, names in (*imported, (tree, None))
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and (names is None or target.id in names)
    }


def _locals(function: ast.FunctionDef) -> dict[str, str]:
    """Returns what a function calls by a name of its own, as it spells it."""
    return {
        node.targets[0].id: ast.unparse(node.value)
        for node in function.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _returned(function: ast.FunctionDef) -> list[ast.Call]:
    return [
        node.value for node in ast.walk(function) if isinstance(node, ast.Return) and isinstance(node.value, ast.Call)
    ]


def _shown(node: ast.expr, settings: Mapping[str, str], changes: Mapping[str, Any]) -> str:
    try:
        return str(_value(node, settings, changes))
    except (LookupError, TypeError, ValueError, ArithmeticError):
        return ast.unparse(node).replace("self.", "")


def _value(node: ast.expr, settings: Mapping[str, str], changes: Mapping[str, Any]) -> Any:
    """Returns the value of an expression. Raises LookupError, TypeError, ValueError or ArithmeticError else."""
    match node:
        case ast.Constant() | ast.UnaryOp():
            return ast.literal_eval(node)
        case ast.Tuple(elts=parts):
            return tuple(_value(part, settings, changes) for part in parts)
        case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in changes:
            return changes[name]
        case ast.Attribute(value=ast.Name(id="self"), attr=name) | ast.Name(id=name):
            others = {other: text for other, text in settings.items() if other != name}
            return _value(ast.parse(settings[name], mode="eval").body, others, changes)
        case ast.BinOp(left=left, op=sign, right=right):
            return OPERATIONS[type(sign)](_value(left, settings, changes), _value(right, settings, changes))
        case ast.Call(func=ast.Name(id=name), args=[of]):
            return FUNCTIONS[name](_value(of, settings, changes))
    raise LookupError(type(node).__name__)
