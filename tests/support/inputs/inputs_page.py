"""The tables of docs/inputs.md, made of the cases that the tests go through.

As a program, `inputs_page.py docs/inputs.md` writes them anew; the text around them is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import still_cases

PAGE = Path(__file__).resolve().parents[3] / "docs" / "inputs.md"


class Row(Protocol):
    """What a table needs of a case."""

    @property
    def container(self) -> str:
        """Returns the name of the format."""

    @property
    def suffix(self) -> str:
        """Returns the file's suffix."""

    @property
    def row(self) -> tuple[str, ...]:
        """Returns the cells of its line but the first, which names the containers."""


# By the name of the table's mark in the page: the heads of its columns, and its cases.
TABLES: dict[str, tuple[tuple[str, ...], Callable[[], Sequence[Row]]]] = {
    "stills": (("container", "samples", "tags", "what happens"), still_cases.cases),
}


def table(heads: tuple[str, ...], cases: Sequence[Row]) -> str:
    """Returns a table in Markdown, in which containers of which the same is true share a line."""
    lines: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for case in cases:
        suffixes = lines.setdefault(case.row, {}).setdefault(case.container, [])
        if case.suffix not in suffixes:
            suffixes.append(case.suffix)
    shown = [heads, ("---",) * len(heads)]
    shown += [(", ".join(_container(*each) for each in found.items()), *row) for row, found in lines.items()]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in shown)


def _container(name: str, suffixes: list[str]) -> str:
    return f"{name} ({' '.join(suffixes)})" if len(suffixes) > 1 else name


def filled(page: str) -> str:
    """Returns the page with its tables as the cases are now."""
    for mark, (heads, cases) in TABLES.items():
        made = f"<!-- table {mark} -->\n{table(heads, cases())}<!-- end -->"
        page, count = re.subn(rf"<!-- table {mark} -->\n.*?<!-- end -->", lambda _, m=made: m, page, flags=re.DOTALL)
        assert count == 1, f"docs/inputs.md must have one place for the table {mark}; it has {count}"
    return page


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) == 2 else PAGE
    target.write_text(filled(target.read_text(encoding="utf-8")), encoding="utf-8")
