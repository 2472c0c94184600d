"""Unpacks an untrusted archive: nothing outside the folder, no links, limited files and bytes."""

from __future__ import annotations

import glob
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.files import plain_errors

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=,-]{0,200}")  # one part of a path
MOST_FILES = 200_000
MOST_BYTES = 32 * 2**30  # unpacked
DEEPEST = 8
ROOM = ".unpacking-"  # in the name of the hidden folder in which an archive is unpacked


def unpack(archive: Path, folder: Path) -> int:
    """Replaces a folder by the content of a zip file, in one step; returns how many files that are.

    Removes what a killed process left of the same: two must not run at once.

    Raises:
        DataError: If the archive is damaged, too large, or holds a name or a kind of file that no rows have. The folder
            is then what it was.
        TransientError: If the disk is full.
    """
    with plain_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        for left in folder.parent.glob(f".{glob.escape(folder.name)}{ROOM}*"):
            shutil.rmtree(left)
        room = Path(tempfile.mkdtemp(prefix=f".{folder.name}{ROOM}", dir=folder.parent))
    try:
        try:
            with zipfile.ZipFile(archive) as packed:
                members = _checked(packed, archive.name)
                for member in members:
                    _extract(packed, member, room / "new")
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise DataError(
                f"{archive.name} must be a whole zip file; it is not ({error}): download it again"
            ) from error
        with plain_errors(folder):
            (room / "new").mkdir(exist_ok=True)
            with suppress(FileNotFoundError):
                folder.rename(room / "old")
            (room / "new").rename(folder)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return len(members)


def _checked(packed: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    """Returns the files of an archive; raises unless all are plain files within the limits."""
    members = [member for member in packed.infolist() if not member.is_dir()]
    if len(members) > MOST_FILES or sum(member.file_size for member in members) > MOST_BYTES:
        raise DataError(
            f"{name} must unpack to at most {MOST_FILES} files of {MOST_BYTES >> 30} GiB; it says more: do not trust it"
        )
    seen = set()
    for member in members:
        parts = member.filename.split("/")
        kind = stat.S_IFMT(member.external_attr >> 16)
        plain = all(NAME.fullmatch(part) for part in parts) and len(parts) <= DEEPEST and kind in {0, stat.S_IFREG}
        if not plain or member.filename in seen:
            raise DataError(f"{name} must hold plain files below one folder; got {member.filename!r}: do not trust it")
        seen.add(member.filename)
    return members


def _extract(packed: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Writes one file; zipfile reads no more of it than was checked."""
    path = folder / member.filename
    with packed.open(member) as source, plain_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
