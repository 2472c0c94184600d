"""Errors that are printed as one line, each with the exit code that other programs rely on."""

from __future__ import annotations

import difflib
import re
import unicodedata
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """What an exit code means; CI retries only TRANSIENT."""

    DONE = 0
    USAGE = 2  # the call is wrong: an unknown name, a missing data set, a read-only folder
    FAILED = 3  # the metric, the attack or the data failed; everything else was done
    TRANSIENT = 75  # try again: GPU lost, disk full, another run holds the folder
    STOPPED = 130  # Ctrl-C


# What only its owner may read: USER:PASSWORD@ and token=... of an address, and, wherever they stand, tokens that GitLab
# (glpat-, glcbt- and the like), the Hugging Face hub and GitHub have given a form to be found by.
SECRET = re.compile(
    r"(?<=://)[^/\s@]+(?=@)|(?<=token=)[^&\s'\"]+|(?<=password=)[^&\s'\"]+"
    r"|\bgl(?:pat|cbt|dt|rt|rtr|ptt|ft|soat|imt|agent|oas|ffct|wt)-[\w-]{8,}|\bhf_[a-z0-9]{16,}|\bgh[oprsu]_[a-z0-9]{16,}",
    re.IGNORECASE,
)


READABLE = 40  # names in a message


def printable(text: str) -> str:
    """Returns text without what a terminal or a page would obey: control characters, and signs that turn its direction.

    Messages quote file names and what contributed code raised.
    """
    if text.replace("\n", "").isprintable():  # nearly all texts: found out a hundred times as fast as sign by sign
        return text
    return "".join(sign if sign in "\n\t" or unicodedata.category(sign)[0] != "C" else "\ufffd" for sign in text)


class BenchError(ValueError):
    """Something the user can put right; the command line prints it as one line, without a traceback."""

    exit_code = Exit.USAGE

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(SECRET.sub("***", message)))


class DataError(BenchError):
    """The metric, the attack or the data failed."""

    exit_code = Exit.FAILED


class TransientError(BenchError):
    """The machine failed, and another try may succeed."""

    exit_code = Exit.TRANSIENT


def invalid(error: Any) -> str:
    """Returns where a file breaks its form and how, of a ValidationError of pydantic; the first line of any other."""
    if not hasattr(error, "errors"):
        return " ".join(str(error).split())[:200]
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"{said} (at {where})" if where else str(said)


def suggestion(name: str, known: dict[str, Any]) -> str:
    """Returns the end of a message about an unknown name: similar names, or else the known ones, if few."""
    if close := difflib.get_close_matches(name.lower(), known, n=3):
        return f"did you mean {' or '.join(close)}?"
    if len(known) > READABLE:
        return f"none of {len(known)} is like it: the command list shows them"
    return f"there are {', '.join(known) or 'none yet'}"
