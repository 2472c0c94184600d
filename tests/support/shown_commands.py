"""The commands that README and docs show, in blocks and in running text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scratch import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(
    r"^(?:\$ )?(?:\.venv/bin/)?python -m pipeline ([a-z].*)$|(?<!`)`python\s-m\spipeline\s([a-z][^`]*)`", re.MULTILINE
)
PLACEHOLDER = re.compile(r"\.\.\.|\[|COMMAND|\|")  # of a line that stands for many


def shown_commands() -> Iterator[tuple[str, str]]:
    """Yields each page's name with a command that it shows, in the page's order."""
    for page in PAGES:
        if page.name != "commands.md":  # it is made from the commands themselves
            text = page.read_text(encoding="utf-8").replace("\\\n", " ")
            for found in COMMAND.finditer(text):
                line = " ".join((found[1] or found[2]).partition("  #")[0].split())
                if not PLACEHOLDER.search(line):
                    yield page.name, line
