"""Downloads the latest leaderboard, or the rows that it comes from, from the artifacts of the job `aggregate`."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from gitlab.exceptions import GitlabError
from gitlab.v4.objects import Project

from metric_robustness.pipeline.errors import BenchError, DataError, TransientError
from metric_robustness.pipeline.files import exclusive, file_digest, write_atomically
from metric_robustness.pipeline.gitlab.download import ChangedError, OnProgress, ResumableDownload, Wanted
from metric_robustness.pipeline.gitlab.server import (
    check_branch,
    connect,
    connect_anonymously,
    pause,
    plain_server_errors,
)
from metric_robustness.pipeline.gitlab.unpack import unpack
from metric_robustness.pipeline.terminal import err
from metric_robustness.pipeline.tokens import token

JOB = "aggregate"
FOLDER = "public"  # of the artifacts
SUMS = "SHA256SUMS"
ROWS = "rows.zip"
TABLES = (
    *("leaderboard.md", "leaderboard.csv", "leaderboard.json", "leaderboard.parquet", "scores.csv", "scores.parquet"),
    *("defences.md", "defences.csv", "defences.parquet", "order.csv", "overtaken.csv", "transfer.csv"),
    *("cells.csv", "fits.csv", "speeds.csv", "ranges.csv", "excluded.csv"),
)
TOKENS = ("GITLAB_TOKEN", "CI_JOB_TOKEN")  # the first that is set is used
LINE = re.compile(r"([0-9a-f]{64}) [ *](\S+)")
LOCK = ".fetch.lock"  # in the output folder
ANSWERS = 3  # tries, since a pipeline may end while we download

Shown = Callable[[str], AbstractContextManager[OnProgress]]


def _silent(_: str) -> AbstractContextManager[OnProgress]:
    return nullcontext(lambda _arrived, _whole: None)


class FetchedTables(NamedTuple):
    """What the output folder holds now."""

    files: list[Path]
    new: int  # how many of the files were downloaded; the others were up to date
    rows: Path | None  # the folder of the rows; None if they were not asked for
    cells: int  # how many files it holds


def fetch(
    ref: str = "main", *, raw: bool = False, out: Path, url: str = "", project: str = "", shown: Shown = _silent
) -> FetchedTables:
    """Downloads the tables of the latest successful pipeline of a branch or tag, and with `raw` the rows.

    Skips files that are up to date, continues downloads that broke off, and deletes a table that the pipeline no longer
    makes. Waits for another fetch into the same folder. A public project needs no token.

    Args:
        ref: The branch or tag.
        raw: Whether to download rows.zip too, and to unpack it to `out`/rows, replacing what is there.
        out: The folder.
        url: The server; default: CI_SERVER_URL.
        project: The project; default: CI_PROJECT_ID.
        shown: Takes a file's name and returns a context in which its download is shown; the context yields a callback
            that takes the bytes that have arrived, and of how many if that is known.

    Raises:
        BenchError: If a name or the token is wrong, there is nothing to download, or `out`/rows is somebody else's.
        DataError: If what arrives is damaged.
        TransientError: If the server stays away, or the disk is full.
    """
    check_branch(ref)
    variable = next((name for name in TOKENS if token(name)), "")
    source = connect(variable, url=url, project=project) if variable else connect_anonymously(url=url, project=project)
    for count in range(ANSWERS):
        if count:
            pause(count)
        with plain_server_errors(f"the artifacts of {ref}"):
            sums = _sums(source, ref)
            try:
                with exclusive(out / LOCK, waits_for=f"another fetch into {out}"):
                    return _fetch(source, ref, sums, raw=raw, out=out, shown=shown)
            except ChangedError as error:
                changed = str(error)
    if _sums(source, ref) == sums:
        raise DataError(f"{changed} must have the hash that {SUMS} names; it has another: run the pipeline again")
    raise TransientError(f"{ref} must hold still for one download; it changed {ANSWERS} times: try again later")


def _sums(project: Project, ref: str) -> dict[str, str]:
    """Returns the hashes of the files that the artifacts hold, by name."""
    path, query = _address(project, ref, SUMS)
    try:
        answer = project.manager.gitlab.http_request("get", path, query_data=query)
    except GitlabError as error:
        if error.response_code == 404:
            raise BenchError(
                f"{ref} must have a pipeline whose job {JOB} succeeded, and be readable for you; GitLab finds none: "
                "wait for it, choose another --ref, or set GITLAB_TOKEN"
            ) from error
        raise
    lines = [LINE.fullmatch(line) for line in answer.text.splitlines()]
    if not lines or not all(lines):
        raise DataError(f"{SUMS} of {ref} must be lines of sha256sum; it is something else: run the pipeline again")
    return {found[2]: found[1] for found in lines if found}


def _fetch(project: Project, ref: str, sums: dict[str, str], *, raw: bool, out: Path, shown: Shown) -> FetchedTables:
    """Downloads what is missing of the files that the artifacts hold."""
    wanted = [name for name in (*TABLES, *([ROWS] if raw else [])) if name in sums]
    if TABLES[0] not in wanted or (raw and ROWS not in wanted):
        missing = TABLES[0] if TABLES[0] not in wanted else ROWS
        raise DataError(f"{SUMS} of {ref} must name {missing}; it does not: run the pipeline again")
    new = 0
    for name in wanted:
        file = out / name
        if file.is_file() and file_digest(file) == sums[name]:
            continue
        path, query = _address(project, ref, name)
        with shown(name) as on_progress:
            ResumableDownload(project.manager.gitlab, Wanted(path, query, sums[name]), file, on_progress).finish()
        new += 1
    for name in set(TABLES) - set(sums):  # an earlier pipeline may have made tables, such as ranges.csv
        (out / name).unlink(missing_ok=True)
    rows = out / "rows" if raw else None
    cells = _unpack(out / ROWS, sums[ROWS], rows) if rows else 0
    return FetchedTables([out / name for name in wanted], new, rows, cells)


def _unpack(archive: Path, sha256: str, folder: Path) -> int:
    """Unpacks the rows unless they are unpacked already; returns how many files they are."""
    mark = folder.with_name(".rows.sha256")
    if not (folder.is_dir() and mark.is_file() and mark.read_text(encoding="utf-8") == sha256):
        if folder.exists() and not mark.exists():
            raise BenchError(f"{folder} holds what no fetch brought, and would be replaced: choose another --out")
        if not mark.exists():
            write_atomically(mark, "")  # if this is stopped before the end, the next fetch knows the folder for its own
        with err.status(f"unpacking {archive.name}"):
            unpack(archive, folder)
        write_atomically(mark, sha256)
    return sum(file.is_file() for file in folder.rglob("*"))


def _address(project: Project, ref: str, name: str) -> tuple[str, dict[str, str]]:
    """Returns the path and the query of the latest version of a file."""
    where = f"{project.encoded_id}/jobs/artifacts/{quote(ref, safe='')}/raw/{FOLDER}/{quote(name)}"
    return f"/projects/{where}", {"job": JOB}
