"""One download: continued where it broke off, hashed while it is written, and refused when it is another file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from threading import Event

from pipeline.errors import DataError, TransientError
from pipeline.weights.integrity import Expected
from pipeline.weights.sources import CHUNK, BusyError, ConnectionBrokenError, FileSource
from pipeline.weights.writing import plain_errors

Heard = Callable[[int, int | None], None]  # bytes that are there, and of how many if that is known


def download(source: FileSource, part: Path, expected: Expected, heard: Heard, stop: Event) -> str:
    """Collects a file in `part`, from where an earlier try ended, and returns its sha256.

    Args:
        source: What to read.
        part: Where it is collected; stays when the download breaks off.
        expected: What it must be.
        heard: Is told how far it is.
        stop: When set, the download stops.

    Raises:
        DataError: If the server refuses, or the file is another one; `part` is then gone.
        TransientError: If it breaks off again and again, the server asks for a long wait, or the disk is full.
        StoppedError: If `stop` was set.
    """
    patience, fresh = Patience(source.where, stop), False
    with plain_errors(part):
        part.parent.mkdir(parents=True, exist_ok=True)
    while True:
        before = _size(part)
        try:
            began, sha256 = _continue(source, part, expected, heard, stop)
        except (ConnectionBrokenError, BusyError) as error:
            patience.bear(error, moved=_size(part) > before)
            continue
        refusal = expected.refusal(sha256)
        if not refusal:
            _tag(part).unlink(missing_ok=True)
            return sha256
        discard(part)
        if began == 0 or fresh:
            raise DataError(f"{refusal} from {source.where}: it is refused; get the file elsewhere, or try a mirror")
        fresh = True  # what was there may have been of another version


def discard(part: Path) -> None:
    """Removes what was collected."""
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)


def _continue(source: FileSource, part: Path, expected: Expected, heard: Heard, stop: Event) -> tuple[int, str]:
    """Adds to a file what a source has; returns where that began, and the sha256 of the whole."""
    tag = _tag(part).read_text(encoding="utf-8") if _tag(part).is_file() else ""
    start = _size(part) if tag or expected.sha256 else 0  # without either, what is there may be another version
    running = hashlib.sha256()
    with source.open(start, tag) as stream:
        if stream.start:
            _read_into(running.update, part)
        if stream.whole is not None and expected.size not in (None, stream.whole):
            raise DataError(
                f"{source.where} must have {expected.size} bytes; it offers {stream.whole}: it is refused; get it "
                "elsewhere, or try a mirror"
            )
        with plain_errors(part), part.open("r+b" if part.exists() else "wb") as file:
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
                heard(file.tell(), stream.whole)
            arrived = file.tell()
    if stream.whole is not None and arrived < stream.whole:
        raise ConnectionBrokenError("the connection closed early")
    return stream.start, running.hexdigest()


def _read_into(update: Callable[[bytes], None], file: Path) -> None:
    with file.open("rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            update(chunk)


def _tag(part: Path) -> Path:
    """Returns the file that keeps what the server calls the version that is being collected."""
    return part.with_name(f"{part.name}.tag")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


TRIES = 5  # in a row without getting on


LONGEST = 60.0  # seconds that a server may ask to wait, in all


class StoppedError(Exception):
    """The user stops; what has arrived is kept."""


class Patience:
    """Waits between the tries at one file, or gives up."""

    def __init__(self, where: str, stop: Event) -> None:
        """Begins.

        Args:
            where: What is read, for messages.
            stop: Ends every wait when set.
        """
        self.where = where
        self.stop = stop
        self.failures = 0
        self.left = LONGEST

    def bear(self, error: ConnectionBrokenError | BusyError, *, moved: bool = False) -> None:
        """Waits until the next try.

        Args:
            error: What went wrong.
            moved: Whether something arrived before it did.

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
            self.failures = 1 if moved else self.failures + 1
            seconds = 0.1 * 2**self.failures
            if self.failures >= TRIES:
                raise TransientError(
                    f"{self.where} must arrive whole; it failed {TRIES} times in a row ({error}): run the same command "
                    "again to continue"
                ) from error
        if self.stop.wait(seconds):
            raise StoppedError
