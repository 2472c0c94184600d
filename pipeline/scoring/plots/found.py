"""Finds the kinds of plots: every file of this folder that has a function `draw` is one, named after the file.

The files are not imported, because matplotlib takes a second to load and `plot --help` only needs the names.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

MARK = "\ndef draw("


def _title(text: str) -> str:
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _found() -> dict[str, str]:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))}
    return {stem.replace("_", "-"): _title(text) for stem, text in texts.items() if MARK in text}


KINDS: Mapping[str, str] = MappingProxyType(_found())  # name on the command line -> title

if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[tuple(KINDS)]  # what the command line takes


def module_of(kind: str) -> str:
    """Returns the name of the module that draws a kind of plot."""
    return f"{__package__}.{kind.replace('-', '_')}"
