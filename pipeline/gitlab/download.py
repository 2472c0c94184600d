"""One download from GitLab: continues where it broke off, and gets its name only when it is whole and verified."""

from __future__ import annotations

import glob
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import gitlab
import requests
from gitlab.exceptions import GitlabError
from urllib3.exceptions import HTTPError

from metric_robustness.pipeline.errors import TransientError
from metric_robustness.pipeline.files import file_digest, move_into_place, plain_errors
from metric_robustness.pipeline.files.arrival import pieces
from metric_robustness.pipeline.gitlab.server import TRIES, pause

CHUNK = 1 << 18  # bytes
BEYOND_END = 416  # HTTP status
OnProgress = Callable[[int, int | None], None]  # takes the bytes that have arrived, and of how many if known


class ChangedError(Exception):
    """The downloaded file does not have the announced hash: the server has a newer one, or it is damaged."""


class Wanted(NamedTuple):
    """A file of the server."""

    path: str  # of its address, below the API's
    query: dict[str, str]
    sha256: str


class ResumableDownload:
    """A download that continues what an earlier try left.

    Until it is whole, the part lies beside the file, under a name with the expected hash; parts of other versions go.
    Two downloads of one file must not run at once.

    Args:
        server: The connection.
        wanted: What to download.
        file: Where it goes.
        on_progress: Takes the bytes that have arrived, after each piece.
    """

    def __init__(self, server: gitlab.Gitlab, wanted: Wanted, file: Path, on_progress: OnProgress) -> None:
        self.server, self.wanted, self.file, self.on_progress = server, wanted, file, on_progress
        self.part = file.with_name(f".{file.name}.{wanted.sha256[:16]}.part")
        self.version = ""  # the server's name (ETag) of the version that it sends

    def finish(self) -> None:
        """Downloads what is missing, then moves the file into its place in one step.

        Raises:
            ChangedError: If the whole file has another hash.
            TransientError: If it breaks off again and again without a further byte, is too slow, or the disk is full.
            BenchError: If the server refuses.
        """
        with plain_errors(self.part):
            self.part.parent.mkdir(parents=True, exist_ok=True)
            for older in self.part.parent.glob(f".{glob.escape(self.file.name)}.*.part"):
                if older != self.part:
                    older.unlink()
            self.part.touch()
        failures = 0
        while file_digest(self.part) != self.wanted.sha256:
            before = self._size()
            try:
                whole, reason = self._continue(), "the connection closed early"
            except (requests.RequestException, HTTPError) as error:
                whole, reason = False, type(error).__name__
            if whole and file_digest(self.part) != self.wanted.sha256:
                self.part.unlink()
                raise ChangedError(self.file.name)
            failures = 0 if self._size() > before else failures + 1
            if failures >= TRIES:
                raise TransientError(
                    f"{self.file.name} must arrive whole; it broke off {TRIES} times ({reason}): run again to continue"
                )
            if not whole:
                pause(failures)
        move_into_place(self.part, self.file)

    def _size(self) -> int:
        return self.part.stat().st_size

    def _continue(self) -> bool:
        """Appends to the part what the server sends; returns whether the file is complete."""
        start = self._size()
        headers = {"Accept-Encoding": "identity"}  # so that sizes are those of the file
        if start:
            headers["Range"] = f"bytes={start}-"
            if self.version:
                headers["If-Range"] = self.version
        path, query = self.wanted.path, self.wanted.query
        try:
            answer = self.server.http_request("get", path, query_data=query, streamed=True, extra_headers=headers)
        except GitlabError as error:
            if error.response_code != BEYOND_END or not start:
                raise
            self.part.write_bytes(b"")  # the part is longer than the server's file: begin anew
            return False
        with answer:
            if _first_byte(answer) != start:
                start = 0  # the server cannot continue, or has another version
            tag = answer.headers.get("ETag", "")
            self.version = "" if tag.startswith("W/") else tag
            size = answer.headers.get("Content-Length", "")
            whole = start + int(size) if size.isdigit() else None
            with self.part.open("r+b") as file:
                file.truncate(start)
                file.seek(start)
                for chunk in pieces(answer.raw, CHUNK, self.file.name):
                    self._write(file, chunk)
                    self.on_progress(file.tell(), whole)
        return whole is None or self._size() == whole

    def _write(self, file: BinaryIO, chunk: bytes) -> None:
        with plain_errors(self.part):  # only here: exceptions of requests are OSErrors, too
            file.write(chunk)
            file.flush()


def _first_byte(answer: requests.Response) -> int:
    """Returns the first byte's number in a partial answer, and -1 for a whole one."""
    first = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else -1
