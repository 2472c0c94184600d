"""The secrets of the environment: our own commands read them here, and the code of entries finds none there.

An entry's code may print its environment, start programs, or send a report of an error with it. What is left is memory,
which code that looks for it can read: a job that checks a stranger's code holds no token that writes.
"""

from __future__ import annotations

import os
import re

NAMES = re.compile(r"(.*_)?(TOKEN|PASSWORD|SECRET|PRIVATE_KEY|STORE_KEY|JWT|JWT_V\d)")
SHORTEST = 12  # characters; a shorter secret may stand in a variable by chance
_hidden: dict[str, str] = {}  # by variable


def token(name: str) -> str:
    """Returns the secret of a variable, without blanks around it; empty if it is not set."""
    return (os.environ.get(name) or _hidden.get(name, "")).strip()


def hide(known: dict[str, str] | None = None) -> dict[str, str]:
    """Takes secrets out of the environment, and variables that repeat one, as CI_REPOSITORY_URL does.

    Args:
        known: What another process has hidden, and this one needs too.

    Returns:
        What is hidden, by variable.
    """
    _hidden.update(known or {})
    named = {name: value for name, value in os.environ.items() if NAMES.fullmatch(name)}
    values = [value for value in named.values() if len(value) >= SHORTEST]
    for name, value in list(os.environ.items()):
        if name in named or any(each in value for each in values):
            _hidden[name] = os.environ.pop(name)
    return dict(_hidden)
