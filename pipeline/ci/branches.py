"""Names of branches and tags that may stand in an address, a path and a command."""

from __future__ import annotations

import re

from pipeline.errors import BenchError

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,200}")
FORBIDDEN = re.compile(r"\.\.|//|/\.|\.lock(?:/|$)|[./]$")  # what git check-ref-format refuses of the rest


def check_branch(name: str) -> str:
    """Returns the name of a branch or tag if it is one that git and a shell take as it is.

    Raises:
        BenchError: If it is not. Git allows more; `$(id)` is a branch to it.
    """
    if not NAME.fullmatch(name) or FORBIDDEN.search(name):
        raise BenchError(
            f"a branch must be letters, digits and ._+/- as git takes them; got {name[:80]!r}: rename the branch"
        )
    return name
