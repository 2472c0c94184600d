"""One download: continued where it broke off, hashed while it is written, and refused when the hash is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from threading import Event

from metric_robustness.pipeline.errors import DataError, TransientError
from metric_robustness.pipeline.files import plain_errors
from metric_robustness.pipeline.weights.integrity import Expected
from metric_robustness.pipeline.weights.sources import CHUNK, BusyError, ConnectionBrokenError, FileSource
from metric_robustness.pipeline.weights.sums import OTHER_FOLDER

OnProgress = Callable[[int, int | None], None]  # gets the bytes that have arrived, and of how many if that is known

TRIES = 5  # in a row without a byte
LONGEST = 60.0  # seconds that a server may ask us to wait, in all


def download(source: FileSource, part: Path, expected: Expected, on_progress: OnProgress, stop: Event) -> str:
    """Collects a file in `part`, from where an earlier try ended, and returns its sha256.

    Args:
        source: Where to read it.
        part: Where it is collected; stays when the download breaks off.
        expected: The sha256 and the size that it must have.
        on_progress: Is called with each piece that arrives.
        stop: When set, the download stops.

    Raises:
        DataError: If the server refuses, or sends another file; `part` is then deleted.
        TransientError: If it breaks off again and again, is too slow, the server asks for a long wait, or the disk is
            full.
        StoppedError: If `stop` was set.
    """
    retries, fresh = Retries(source.where, stop), False
    with plain_errors(part, OTHER_FOLDER):
        part.parent.mkdir(parents=True, exist_ok=True)
    while True:
        before = _size(part)
        try:
            began, sha256 = _continue(source, part, expected, on_progress, stop)
        except (ConnectionBrokenError, BusyError) as error:
            retries.wait(error, advanced=_size(part) > before)
            continue
        refusal = expected.refusal(sha256)
        if not refusal:
            _tag(part).unlink(missing_ok=True)
            return sha256
        discard(part)
        if began == 0 or fresh:
            raise DataError(f"{refusal} from {source.where}: it is refused; {expected.remedy}")
        fresh = True  # an earlier try may have left a part of another version: start from the beginning


def discard(part: Path) -> None:
    """Deletes the part of a file that has arrived."""
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)


def _continue(
    source: FileSource, part: Path, expected: Expected, on_progress: OnProgress, stop: Event
) -> tuple[int, str]:
    """Appends the missing bytes to `part`; returns the number of the first one, and the sha256 of the whole file."""
    tag = _tag(part).read_text(encoding="utf-8") if _tag(part).is_file() else ""
    start = _size(part) if tag or expected.sha256 else 0  # without either, the part may belong to another version
    running = hashlib.sha256()
    with source.open(start, tag) as stream:
        if stream.start:
            _read_into(running.update, part)
        if stream.whole is not None and expected.size not in (None, stream.whole):
            raise DataError(
                f"{source.where} must have {expected.size} bytes; it offers {stream.whole}: it is refused; get it "
                "elsewhere, or try a mirror"
            )
        with plain_errors(part, OTHER_FOLDER), part.open("r+b" if part.exists() else "wb") as file:
            file.truncate(stream.start)
            file.seek(stream.start)
            if stream.tag:
                _tag(part).write_text(stream.tag, encoding="utf-8")
            else:
                _tag(part).unlink(missing_ok=True)
            for chunk in stream.chunks:
                if stop.is_set():
                    raise StoppedError
                file.write(chunk)
                running.update(chunk)
                on_progress(file.tell(), stream.whole)
            arrived = file.tell()
    if stream.whole is not None and arrived < stream.whole:
        raise ConnectionBrokenError("the connection closed early")
    return stream.start, running.hexdigest()


def _read_into(update: Callable[[bytes], None], file: Path) -> None:
    with file.open("rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            update(chunk)


def _tag(part: Path) -> Path:
    """Returns the file beside the part that holds the server's name (ETag) of the version that is being collected."""
    return part.with_name(f"{part.name}.tag")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


class StoppedError(Exception):
    """The user stops; what has arrived is kept."""


class Retries:
    """Waits between the tries at one file, and gives up after too many.

    Args:
        where: What is read, for messages.
        stop: Ends every wait when set.
    """

    def __init__(self, where: str, stop: Event) -> None:
        self.where = where
        self.stop = stop
        self.failures = 0
        self.left = LONGEST  # seconds

    def wait(self, error: ConnectionBrokenError | BusyError, *, advanced: bool = False) -> None:
        """Waits until the next try.

        Args:
            error: Why the last try ended.
            advanced: Whether something arrived in it.

        Raises:
            TransientError: If there were enough tries, or the server asks for a long wait.
            StoppedError: If the user stops.
        """
        if isinstance(error, BusyError):
            seconds = max(error.seconds, 1)
            self.left -= seconds
            if self.left < 0:
                raise TransientError(
                    f"{self.where} answers 429 and asks to wait {error.seconds:.0f} s: run the same command after that"
                ) from error
        else:
            self.failures = 1 if advanced else self.failures + 1
            seconds = 0.1 * 2**self.failures
            if self.failures >= TRIES:
                raise TransientError(
                    f"{self.where} must arrive whole; it failed {TRIES} times in a row ({error}): run the same command "
                    "again to continue"
                ) from error
        if self.stop.wait(seconds):
            raise StoppedError
