"""How long a server that stumbles is borne with."""

from __future__ import annotations

from threading import Event

from pipeline.errors import TransientError
from pipeline.weights.sources import BrokenError, BusyError

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

    def bear(self, error: BrokenError | BusyError, *, moved: bool = False) -> None:
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
