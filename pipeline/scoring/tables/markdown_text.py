"""Texts of others in Markdown: tables and lines in which names and reasons of contributors mean only themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence

from metric_robustness.pipeline.errors import printable

MARKUP = re.compile(r"[|`\[]")
EMPHASIS = re.compile(r"[*~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")  # an underscore within a word is none
PERSON = re.compile("@")  # GitLab would notify a user of that name
# What GitLab would make a link of, too: #issue, !merge request, $snippet, %milestone, ~label, addresses.
REFERENCE = re.compile(r"@|[#!$%~](?=[\w\"])|:(?=//)|\bwww(?=\.)")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, links: bool = False) -> str:
    """Returns a Markdown table of texts, in which * and _ still mean emphasis; other signs of Markdown mean nothing.

    Args:
        header: The columns' titles.
        rows: Texts.
        links: Whether addresses may become links.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell, links=links) for cell in line) + " |" for line in lines)


def plain(text: str) -> str:
    """Returns text in one line that Markdown takes as text: names and reasons come from contributors."""
    return EMPHASIS.sub(r"\\\g<0>", _cell(text, links=False))


def _cell(text: str, *, links: bool) -> str:
    line = " ".join(printable(text).split())
    for sign, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        line = line.replace(sign, written)
    line = MARKUP.sub(r"\\\g<0>", line)
    return (PERSON if links else REFERENCE).sub("\\g<0>\u2060", line)  # a word joiner
