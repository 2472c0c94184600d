"""What changed since a commit: entries with other fingerprints, also because of what they import, and those removed."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.catalogue.syntax import FOLDERS
from metric_robustness.pipeline.errors import BenchError

COMMIT = re.compile(r"[0-9a-f]{7,64}")
ABSENT = re.compile("not a (valid object name|tree object)")  # what git says of a commit that it does not have
NO_COMMIT = re.compile(r"0+")  # what GitLab gives where there is no commit before


class Change(NamedTuple):
    """An entry whose numbers may have changed, or that has no more."""

    entry: Entry  # of one that was removed, as it was
    how: Literal["new", "changed", "changed with what it uses", "removed"]

    @property
    def stays(self) -> bool:
        """Tells whether the checkout has the entry."""
        return self.how != "removed"


def changed_since(commit: str) -> list[Change]:
    """Returns the entries of the checkout whose numbers may differ from those at a commit, and those that it lacks.

    Args:
        commit: The hash of a commit that the clone holds.

    Raises:
        BenchError: If the commit is not a hash, or not in the clone, or the code lies in no clone.
    """
    if NO_COMMIT.fullmatch(commit):
        return []
    if not COMMIT.fullmatch(commit):
        raise BenchError(f"--since must be a commit's hash; got {commit!r}: write what git rev-parse prints")
    with tempfile.TemporaryDirectory(prefix="robustness-") as folder:
        base = Path(folder)
        _check_out(commit, base)
        return [change for name in FOLDERS for change in _changes(name, base)]


def _changes(folder: str, base: Path) -> list[Change]:
    before = lookup.entries(folder, base)
    now = lookup.entries(folder)
    changes = [Change(old, "removed") for name, old in before.items() if name not in now]
    for name, entry in now.items():
        if entry.root not in {None, places.CODE}:
            continue  # the history of this clone knows nothing of entries elsewhere
        old = before.get(name)
        if old is None:
            changes.append(Change(entry, "new"))
        elif (old.fingerprint, old.problem) != (entry.fingerprint, entry.problem):
            same = (base / entry.file).read_bytes() == ((entry.root or places.CODE) / entry.file).read_bytes()
            changes.append(Change(entry, "changed with what it uses" if same else "changed"))
    return changes


def _check_out(commit: str, target: Path) -> None:
    """Writes the files that fingerprints depend on, as they were at a commit, below a folder."""
    git = shutil.which("git")
    if git is None:
        raise BenchError("git must be installed to compare with a commit: install it")
    archived = subprocess.run(
        [git, "-C", str(places.checkout()), "archive", "--format=tar", commit],
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    if archived.returncode:
        says = " ".join(archived.stderr.decode(errors="replace").split())[:300]
        if ABSENT.search(says):
            raise BenchError(f"commit {commit} must be in this clone; it is not: fetch it, or clone with GIT_DEPTH=0")
        raise BenchError(f"git must read the commits of {places.checkout()}; it says {says!r}: do what it says")
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        write_members(archive, target)


def write_members(archive: tarfile.TarFile, target: Path) -> None:
    """Writes the files of an archive that fingerprints cover below a folder.

    `extractall(filter="data")` would do as much, but Debian 12's Python 3.11.2 lacks it. A link becomes a copy of
    the file that it leads to within the archive; one that leads out of it is not written.

    Raises:
        BenchError: If a file would lie outside the folder.
    """
    for member in archive.getmembers():
        parts = member.name.split("/")
        if member.isdir() or not (parts[0] in FOLDERS or member.name == "requirements.lock"):
            continue
        if ".." in parts:
            raise BenchError(f"a commit's file must lie in the checkout; got {member.name!r}: do not trust the commit")
        content = None
        with suppress(KeyError, RecursionError):  # a link that leads out of the archive, or to itself
            content = archive.extractfile(member)
        if content is not None:
            file = target.joinpath(*parts)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.read())
