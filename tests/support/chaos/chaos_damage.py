"""Ways in which files are damaged: by a disk, a crash, or a hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

Damage = Callable[[Random, Path, list[Path]], None]


def flip(random: Random, file: Path, _: list[Path]) -> None:
    """Changes one to three bytes."""
    content = bytearray(file.read_bytes())
    for _ in range(random.randint(1, 3)):
        content[random.randrange(len(content))] ^= random.randint(1, 255)
    file.write_bytes(content)


def digit(random: Random, file: Path, others: list[Path]) -> None:
    """Changes one digit, as a hand would; flips bytes where there is none."""
    content = file.read_bytes()
    places = [match.start() for match in re.finditer(rb"\d", content)]
    if not places:
        return flip(random, file, others)
    place = random.choice(places)
    other = (content[place] - 48 + random.randint(1, 9)) % 10 + 48
    file.write_bytes(content[:place] + bytes([other]) + content[place + 1 :])
    return None


def cut(random: Random, file: Path, _: list[Path]) -> None:
    """Cuts the end off, as a write that was torn."""
    content = file.read_bytes()
    file.write_bytes(content[: random.randrange(len(content))])


def exchange_lines(random: Random, file: Path, others: list[Path]) -> None:
    """Exchanges a line with one of another file of the same kind, or two lines of its own."""
    lines = file.read_bytes().split(b"\n")
    other = random.choice(others) if others else file
    theirs = other.read_bytes().split(b"\n")
    lines[random.randrange(len(lines))] = random.choice(theirs)
    file.write_bytes(b"\n".join(lines))


def exchange_files(random: Random, file: Path, others: list[Path]) -> None:
    """Puts another file of the same kind in its place; cuts it where there is none."""
    if others:
        file.write_bytes(random.choice(others).read_bytes())
    else:
        cut(random, file, others)


def remove(_random: Random, file: Path, _others: list[Path]) -> None:
    """Removes the file."""
    file.unlink()


DAMAGES: dict[str, Damage] = {
    "flipped bytes": flip,
    "a changed digit": digit,
    "truncation": cut,
    "exchanged lines": exchange_lines,
    "exchanged files": exchange_files,
    "removal": remove,
}
