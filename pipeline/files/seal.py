"""Seals: what we write and later believe carries its own hash.

A file whose seal does not hold counts as not there: what it held is done again, and one line says so.
"""

from __future__ import annotations

import re
from pathlib import Path

from metric_robustness.pipeline.files.atomic import OTHER_OUT, digest, plain_errors, write_atomically
from metric_robustness.pipeline.terminal import err

MAGIC = b"robustness-sealed 1"
HEAD = re.compile(rb"%s ([0-9a-f]{64}) ([^\n]*)\n" % re.escape(MAGIC))
JSON = re.compile(rb'(\{.*),\n "seal": "([0-9a-f]{64})"\n\}\n', re.DOTALL)


class SealError(Exception):
    """Some bytes are not what was sealed; the message says how."""


def sealed(content: bytes, about: str) -> bytes:
    """Returns bytes with a head that holds their hash.

    Args:
        content: Any bytes.
        about: What they are, such as a key or a name; it is part of the hash, so that no file can stand for another.
    """
    name = about.encode("unicode_escape")
    return b"%s %s %s\n%s" % (MAGIC, _hash(name, content), name, content)


def unseal(found: bytes, about: str) -> bytes | None:
    """Returns what `sealed` sealed; None if the seal holds, and is about something else.

    Raises:
        SealError: If the seal does not hold.
    """
    head = HEAD.match(found)
    if not head:
        raise SealError("is not an object of ours")
    content = found[head.end() :]
    if _hash(head[2], content) != head[1]:
        raise SealError("is damaged")
    return content if head[2] == about.encode("unicode_escape") else None


def _hash(name: bytes, content: bytes) -> bytes:
    return digest(b"%s\n%s" % (name, content)).encode()


def write_sealed(path: Path, content: bytes, about: str, remedy: str = OTHER_OUT) -> None:
    """Writes a sealed file atomically; takes and raises what `sealed` and `write_atomically` do."""
    write_atomically(path, sealed(content, about), remedy)


def read_sealed(path: Path, about: str) -> bytes | None:
    """Returns what a sealed file holds; None if it is not there, about something else, or damaged, which is told.

    Raises:
        BenchError: If the file may not be read.
    """
    with plain_errors(path):
        try:
            return unseal(path.read_bytes(), about)
        except FileNotFoundError:
            return None
        except SealError:
            tell_damaged(path)
            return None


def tell_damaged(path: Path, what: str = "what it held") -> None:
    """Prints that a file is damaged, and what is done again for that."""
    err.print(f"{path} is damaged: {what} is done again", markup=False, soft_wrap=True)


def seal_json(text: str) -> str:
    """Returns the text of a JSON object, indented by 1, with its seal as the last field, for files that people read."""
    body = text.rstrip().removesuffix("}").rstrip()
    return f'{body},\n "seal": "{digest(body.encode())}"\n}}\n'


def unseal_json(found: bytes) -> bytes:
    """Returns the text that `seal_json` sealed.

    Raises:
        SealError: If there is no seal, or it does not hold.
    """
    parts = JSON.fullmatch(found)
    if not parts:
        raise SealError("has no seal")
    if digest(parts[1]).encode() != parts[2]:
        raise SealError("is damaged")
    return parts[1] + b"\n}\n"
