"""Sealed lines: a file that grows line by line, each with a hash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metric_robustness.pipeline.files.atomic import append_line, digest, plain_errors, write_atomically
from metric_robustness.pipeline.files.seal import tell_damaged

LENGTH = 32  # digits of a line's hash
Facts = dict[str, Any]


class SealedLines:
    """JSON objects line by line, each after a hash of it and of the first line: no line of another file holds here.

    A line that is torn, since the process was killed while it wrote, or damaged counts as not there; one line tells.

    Attributes:
        path: The file.
        head: The first line: what the others are about.
        lines: The others that hold.
    """

    def __init__(self, path: Path, expected: Facts) -> None:
        """Reads a file; begins it anew if its first line is not there, or lacks what is expected.

        Args:
            path: The file; folders that are missing are made.
            expected: What the first line must hold with the same key; its other fields are the first writer's.
        """
        self.path = path
        with plain_errors(path):
            whole = path.read_bytes() if path.exists() else b""
        first, *others = whole.split(b"\n")
        head = _unsealed(first, "")
        if head is not None and head.get("key") == expected["key"] and expected.keys() <= head.keys():
            found = [_unsealed(line, _text(head)) for line in others if line]
            self.head, self.lines = head, [line for line in found if line is not None]
            if lost := len(found) - len(self.lines):
                tell_damaged(path, f"the work of {lost} of its {len(found) + 1} lines")
        else:
            if whole and head is None:
                tell_damaged(path)
            self.head, self.lines = expected, []

    def write(self, lines: list[Facts]) -> None:
        """Writes the whole file: the first line, and those given."""
        texts = [_sealed(self.head, ""), *(_sealed(line, _text(self.head)) for line in lines)]
        write_atomically(self.path, "".join(f"{text}\n" for text in texts))

    def append(self, lines: list[Facts]) -> None:
        """Appends lines, and waits until they are on the disk."""
        append_line(self.path, "\n".join(_sealed(line, _text(self.head)) for line in lines))


def _text(facts: Facts) -> str:
    return json.dumps(facts)


def _sealed(facts: Facts, head: str) -> str:
    text = _text(facts)
    return f"{_hash(text, head)} {text}"


def _unsealed(line: bytes, head: str) -> Facts | None:
    try:
        seal, _, text = line.decode().partition(" ")
    except UnicodeDecodeError:
        return None
    if not text or seal != _hash(text, head):
        return None
    found: Facts = json.loads(text)
    return found


def _hash(text: str, head: str) -> str:
    return digest(f"{head}\n{text}".encode())[:LENGTH]
