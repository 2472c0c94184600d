"""What a file can be read from: an address, or a path; each says what it announces and can begin in the middle."""

from __future__ import annotations

import contextlib
import email.utils
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urljoin

import requests
import urllib3

from pipeline.errors import BenchError, DataError

CHUNK = 1 << 18  # bytes
TIMEOUT = (10, 30)  # seconds to connect, and between two pieces
SHA256 = re.compile(r"[0-9a-f]{64}")


class ConnectionBrokenError(Exception):
    """The bytes stopped coming; another try may get on."""


class BusyError(Exception):
    """The server asks to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Announced(NamedTuple):
    """What a source tells about a file before it is read."""

    sha256: str = ""
    size: int | None = None
    revision: str = ""  # the commit of a hub's repository


class Stream(NamedTuple):
    """A file's bytes from some point on."""

    start: int
    whole: int | None  # bytes of the whole file
    tag: str  # what the server calls this version, or nothing
    chunks: Iterator[bytes]


class FileSource(Protocol):
    """One place to read one file from."""

    @property
    def where(self) -> str:
        """Returns how messages name it."""

    @property
    def networked(self) -> bool:
        """Tells whether reading it asks the network."""

    def announced(self) -> Announced:
        """Returns what it tells beforehand."""

    def open(self, start: int, tag: str) -> contextlib.AbstractContextManager[Stream]:
        """Opens it at `start`, or at the beginning where it has another version than `tag` or cannot continue."""


@dataclass(frozen=True)
class PathSource:
    """A file of this machine."""

    path: Path
    sha256: str = ""  # as its folder's list has it

    networked = False

    @property
    def where(self) -> str:
        return str(self.path)

    def announced(self) -> Announced:
        try:
            return Announced(self.sha256, self.path.stat().st_size)
        except OSError as error:
            raise DataError(f"{self.path} must be readable; got {error.strerror}: put the file there") from error

    @contextlib.contextmanager
    def open(self, start: int, tag: str) -> Iterator[Stream]:  # a copy is quick: from the beginning
        try:
            with self.path.open("rb") as file:
                size = self.path.stat().st_size
                yield Stream(0, size, "", iter(lambda: file.read(CHUNK), b""))
        except OSError as error:
            if error.filename != str(self.path):
                raise  # of the file that is written
            raise DataError(f"{self.path} must be readable; got {error.strerror}: correct its rights") from error


@dataclass(frozen=True)
class UrlSource:
    """A file of a server."""

    url: str
    sha256: str = ""  # as the server's list has it
    is_hub: bool = False
    token: str = ""

    networked = True

    @property
    def where(self) -> str:
        return self.url

    def announced(self) -> Announced:
        """Returns what the Hugging Face hub tells of a file; of other servers, only what is known already.

        The hub's answer is a redirect to where the bytes are; the sha256 is in its own headers, not in the other's.
        """
        if not self.is_hub:
            return Announced(self.sha256)
        url = self.url
        for _ in range(5):  # a renamed repository answers with a relative address
            answer = self._ask("HEAD", url, {})
            target = answer.headers.get("Location", "")
            if not target.startswith("/"):
                break
            url = urljoin(url, target)
        headers = answer.headers
        tag = (headers.get("X-Linked-Etag") or headers.get("ETag") or "").removeprefix("W/").strip('"')
        size = headers.get("X-Linked-Size") or ("" if answer.is_redirect else headers.get("Content-Length", ""))
        return Announced(
            tag if SHA256.fullmatch(tag) else "",  # a small file has its git hash there
            int(size) if size.isdigit() else None,
            headers.get("X-Repo-Commit", ""),
        )

    @contextlib.contextmanager
    def open(self, start: int, tag: str) -> Iterator[Stream]:
        headers = {"Range": f"bytes={start}-"} | ({"If-Range": tag} if tag else {}) if start else {}
        answer = self._ask("GET", self.url, headers)
        with answer:
            begin = start if answer.status_code == 206 and _first(answer) == start else 0
            size = answer.headers.get("Content-Length", "")
            whole = begin + int(size) if size.isdigit() else None
            version = answer.headers.get("ETag", "")
            yield Stream(begin, whole, "" if version.startswith("W/") else version, _chunks(answer))

    def _ask(self, method: str, url: str, headers: dict[str, str]) -> requests.Response:
        """Sends a request; a refusal is one line.

        Raises:
            ConnectionBrokenError: If the server cannot be reached, or fails.
            BusyError: If it asks to wait.
            DataError: If it refuses.
        """
        headers = {"Accept-Encoding": "identity"} | headers  # the size is that of the file
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            answer = requests.request(
                method, url, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=method == "GET"
            )
        except requests.exceptions.InvalidURL as error:
            raise BenchError(f"{url} must be an address; got {error}: correct it") from error
        except requests.RequestException as error:
            raise ConnectionBrokenError(reason(error)) from error
        if answer.status_code < 400:
            return answer
        answer.close()
        if answer.status_code == 416 and headers.get("Range"):  # there is more than the server has
            return self._ask(method, url, {})
        raise _refusal(answer, self.url)


def _refusal(answer: requests.Response, url: str) -> Exception:
    match answer.status_code:
        case 429:
            return BusyError(_wait(answer.headers.get("Retry-After", "")))
        case 408 | 500 | 502 | 503 | 504:
            return ConnectionBrokenError(f"answers {answer.status_code}")
        case 401 | 403:
            remedy = "set HF_TOKEN to a token that may read it, accept its terms on its page, or import a copy"
        case 404 | 410:
            remedy = (
                "get the file elsewhere and run python -m pipeline weights import FILE, or correct its address in "
                "pipeline/weights/manifest.yml"
            )
        case _:
            remedy = "try again later, or get the file elsewhere and run python -m pipeline weights import FILE"
    return DataError(f"{url} answers {answer.status_code}: {remedy}")


def reason(error: Exception) -> str:
    """Returns what went wrong on the way, in a few words."""
    inner = getattr(error.args[0], "reason", error.args[0]) if error.args else error
    text = str(inner).rpartition("): ")[2].rpartition(">: ")[2] or type(error).__name__
    return text.strip("()'\" ").partition("\n")[0]


def _wait(text: str) -> float:
    """Returns the seconds that Retry-After asks for, which it writes as a number or as a date."""
    if text.strip().isdigit():
        return float(text)
    date = email.utils.parsedate_tz(text)
    return max(email.utils.mktime_tz(date) - time.time(), 0) if date else 1


def _first(answer: requests.Response) -> int:
    """Returns the first byte's number in a partial answer, or -1."""
    first = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else -1


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    """Yields pieces as they arrive; waiting for full ones would lose what came before the connection broke."""
    try:
        while piece := answer.raw.read1(CHUNK):
            yield piece
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise ConnectionBrokenError(reason(error)) from error
