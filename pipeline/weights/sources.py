"""Where a file can be read, an address or a path: each announces what it knows, and can begin in the middle."""

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

from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.files.arrival import pieces

CHUNK = 1 << 18  # bytes
TIMEOUT = (10, 30)  # seconds to connect, and between two pieces
SHA256 = re.compile(r"[0-9a-f]{64}")


class ConnectionBrokenError(Exception):
    """The connection broke; another try may get further."""


class BusyError(Exception):
    """The server asks to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Announced(NamedTuple):
    """What a source says about a file before it is read."""

    sha256: str = ""
    size: int | None = None
    revision: str = ""  # the commit of the file's repository on the hub


class Stream(NamedTuple):
    """The bytes of a file from some point on."""

    start: int  # the number of the first byte
    whole: int | None  # bytes of the whole file
    tag: str  # the server's name (ETag) of this version; empty if it has none
    chunks: Iterator[bytes]


class FileSource(Protocol):
    """One place to read one file from."""

    @property
    def where(self) -> str:
        """Returns the path or address, for messages."""

    @property
    def networked(self) -> bool:
        """Tells whether reading it takes the network."""

    def announced(self) -> Announced:
        """Returns what is known of the file before it is read."""

    def open(self, start: int, tag: str) -> contextlib.AbstractContextManager[Stream]:
        """Opens the file at `start`; at the beginning if its version is not `tag` or the source cannot continue."""


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
    def open(self, start: int, tag: str) -> Iterator[Stream]:  # copies begin anew: they are quick
        try:
            with self.path.open("rb") as file:
                size = self.path.stat().st_size
                yield Stream(0, size, "", iter(lambda: file.read(CHUNK), b""))
        except OSError as error:
            if error.filename != str(self.path):
                raise  # the error is about the file that is written
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
        """Returns what the Hugging Face hub says about a file; other servers are not asked.

        The hub redirects to the server that holds the bytes; the sha256 is in the headers of the redirect only.
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
            tag if SHA256.fullmatch(tag) else "",  # a small file has its git hash there instead
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
            yield Stream(begin, whole, "" if version.startswith("W/") else version, _chunks(answer, self.url))

    def read(self) -> bytes:
        """Returns a whole small file, such as a list.

        Raises:
            ConnectionBrokenError: If the server cannot be reached, fails, or breaks off.
            BusyError: If it asks to wait.
            DataError: If it refuses.
        """
        with self.open(0, "") as stream:
            content = b"".join(stream.chunks)
            if stream.whole is not None and len(content) < stream.whole:
                raise ConnectionBrokenError("the connection closed early")
        return content

    def _ask(self, method: str, url: str, headers: dict[str, str]) -> requests.Response:
        """Sends a request.

        Raises:
            ConnectionBrokenError: If the server cannot be reached, or fails.
            BusyError: If it asks to wait.
            DataError: If it refuses.
        """
        headers = {"Accept-Encoding": "identity"} | headers  # so that the size is the file's
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
        if answer.status_code == 416 and headers.get("Range"):  # the part is longer than the server's file
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
    """Returns the cause of a failed connection in a few words."""
    inner = getattr(error.args[0], "reason", error.args[0]) if error.args else error
    text = str(inner).rpartition("): ")[2].rpartition(">: ")[2] or type(error).__name__
    return text.strip("()'\" ").partition("\n")[0]


def _wait(text: str) -> float:
    """Returns the seconds that a Retry-After header asks for; it holds a number or a date."""
    if text.strip().isdigit():
        return float(text)
    date = email.utils.parsedate_tz(text)
    return max(email.utils.mktime_tz(date) - time.time(), 0) if date else 1


def _first(answer: requests.Response) -> int:
    """Returns the first byte's number in a partial answer, or -1."""
    first = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else -1


def _chunks(answer: requests.Response, where: str) -> Iterator[bytes]:
    try:
        yield from pieces(answer.raw, CHUNK, where)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise ConnectionBrokenError(reason(error)) from error
