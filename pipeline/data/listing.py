"""What lies in a folder of images: its files by name, and what is left out of it."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from metric_robustness.pipeline.data.stills.formats import suffixes
from metric_robustness.pipeline.data.written import written_by_us

VIDEOS = {  # what FFmpeg names so by the containers that video.py lets it open
    *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v", ".mkv", ".webm", ".avi", ".y4m", ".flv", ".wmv", ".asf"),
    *(".ts", ".mts", ".m2ts", ".m2t", ".mpg", ".mpeg", ".mpe", ".vob", ".m2v", ".m1v", ".ogv", ".mxf"),
}
MOST_SUFFIXES = 20  # named one by one
MOST_NAMES = 10  # files named of one suffix: a folder may hold a text beside every image
# Control characters, line ends, what turns the direction of text, and stand-ins for bytes that are no UTF-8.
CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
ODD = re.compile(rf"[{CONTROL}\\]")


class Listing(NamedTuple):
    """What lies in a folder and those below it."""

    files: dict[str, Path]  # images and videos, sorted, by the name with "/"; links to nowhere are among them
    excluded: dict[str, str]  # folders that are left out, each with the reason
    unread: dict[str, str]  # other files by suffix, as *.heic -> how many they are, and their names


def files_below(folder: Path) -> Listing:
    """Returns the images and videos of a folder and those below it.

    Hidden files and folders are passed over. A linked folder is followed once, after all that lie here.
    """
    walk = _Walk(folder)
    found = sorted(walk.files(), key=lambda path: path.split("/"))
    return Listing({as_text(Path(path)): folder / path for path in found}, walk.excluded, walk.unread())


def as_text(path: Path) -> str:
    r"""Returns a path with "/" as text that every table can hold, another for every path.

    File systems allow control characters and bytes that are no UTF-8; both are written out, as in `a\x0d.png`.
    """
    return ODD.sub(_written_out, os.fsencode(path.as_posix()).decode(errors="surrogateescape"))


def _written_out(odd: re.Match[str]) -> str:
    code = ord(odd[0])
    if odd[0] == "\\":
        return r"\\"
    if 0xD800 <= code <= 0xDFFF:
        return f"\\x{code & 0xFF:02x}"  # Python's stand-in for one byte
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


class _Walk:
    """Goes through a folder and those below it, each once."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.excluded: dict[str, str] = {}
        self._counts: Counter[str] = Counter()  # of files that are not read, by suffix
        self._names: dict[str, list[str]] = {}  # of the first of them
        self._read = suffixes().keys() | VIDEOS
        self._seen: set[tuple[int, int]] = set()  # device and number of each folder
        self._todo: list[tuple[str, bool]] = [("", False)]  # folders, each with whether a run wrote the one above
        self._links: list[str] = []  # linked folders, which are followed when all else is read

    def files(self) -> Iterator[str]:
        """Yields the paths of images and videos below the folder."""
        while self._todo or self._links:
            if self._todo:
                yield from self._inside(*self._todo.pop())
            elif self._holds_all(link := self._links.pop(0)):
                self._leave_out(link, "is a link to a folder that holds this one: it is not followed")
            else:
                self._todo.append((link, False))

    def _inside(self, path: str, in_ours: bool) -> Iterator[str]:
        """Yields what a folder itself holds; leaves it out where a run wrote it or it was read already."""
        here = f"{self.folder}/{path}" if path else self.folder
        try:
            about = os.stat(here)  # noqa: PTH116
            with os.scandir(here) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            self._leave_out(path, f"cannot be read: {error.strerror}")
            return
        if (place := (about.st_dev, about.st_ino)) in self._seen:
            self._leave_out(path, "is a link to a folder that was read already")
            return
        self._seen.add(place)
        ours = written_by_us(Path(here), {entry.name for entry in entries}, in_ours=in_ours)
        if path and ours:
            self._leave_out(path, f"{ours}: it is no part of the data set")
            return
        for entry in entries:
            inner = f"{path}/{entry.name}" if path else entry.name
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                if entry.is_symlink():
                    self._links.append(inner)
                else:
                    self._todo.append((inner, bool(ours)))
                continue
            suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122  # a Path takes five times as long
            if suffix in self._read:
                yield inner
            else:
                self._pass_over(suffix, inner)

    def unread(self) -> dict[str, str]:
        """Returns the files that are not read, once per suffix, with their number and the first names."""
        common = dict(self._counts.most_common(MOST_SUFFIXES))
        found = {
            as_text(Path(f"*{suffix}")) if suffix else "* without a suffix": _not_read(count, self._names[suffix])
            for suffix, count in sorted(common.items())
        }
        if rest := sorted(self._counts.keys() - common.keys()):
            names = [name for suffix in rest for name in self._names[suffix]]
            found["* of further suffixes"] = _not_read(sum(self._counts[suffix] for suffix in rest), names)
        return found

    def _pass_over(self, suffix: str, path: str) -> None:
        self._counts[suffix] += 1
        if len(names := self._names.setdefault(suffix, [])) < MOST_NAMES:
            names.append(path)

    def _holds_all(self, link: str) -> bool:
        return Path(self.folder).resolve().is_relative_to(Path(self.folder, link).resolve())

    def _leave_out(self, path: str, reason: str) -> None:
        self.excluded[as_text(Path(path or "."))] = reason


def _not_read(count: int, paths: list[str]) -> str:
    named = [as_text(Path(path)) for path in paths[:MOST_NAMES]]
    more = f" and {count - len(named):,} more" if count > len(named) else ""
    return f"{count:,} {'file is' if count == 1 else 'files are'} not read: {', '.join(named)}{more}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
