"""Runs the code cells of a notebook in order, in one namespace, as Jupyter would, without Jupyter.

As a program, `notebook.py FILE.ipynb` runs a notebook and writes its outputs into it.
"""

from __future__ import annotations

import ast
import io
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

Output = dict[str, Any]


def outputs(notebook: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[Output]]]:
    """Yields each code cell with what it gives now; what it writes to stderr, such as progress, is dropped."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate([each for each in notebook["cells"] if each["cell_type"] == "code"], start=1):
        yield cell, list(_executed("".join(cell["source"]), number, namespace))


def _executed(source: str, number: int, namespace: dict[str, Any]) -> Iterator[Output]:
    tree, name = ast.parse(source), f"<cell {number}>"
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value = None
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()):
        exec(compile(tree, name, "exec", dont_inherit=True), namespace)  # noqa: S102
        if last:
            value = eval(compile(ast.Expression(last.value), name, "eval", dont_inherit=True), namespace)  # noqa: S307
    if printed.getvalue():
        yield {"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())}
    if value is not None:
        data = {"text/plain": _lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = _lines(value._repr_html_())
        yield {"output_type": "execute_result", "execution_count": number, "data": data, "metadata": {}}


def kinds(found: list[Output]) -> list[set[str]]:
    """Returns what the outputs of a cell are, without their contents, whose last digits depend on the machine."""
    return [set(each["data"]) if "data" in each else {each["name"]} for each in found]


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    """Runs a notebook and writes its outputs into it."""
    path = Path(sys.argv[1])
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for number, (cell, found) in enumerate(outputs(notebook), start=1):
        cell["execution_count"], cell["outputs"] = number, found
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
