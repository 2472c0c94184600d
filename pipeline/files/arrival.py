"""What a server sends, piece by piece: one that sends a byte now and then is given up.

It would hold a program for days, and no timeout sees it, since that counts from the last byte.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

from metric_robustness.pipeline.errors import TransientError

FLOOR = 1024  # bytes per second
WINDOW = 60.0  # seconds of waiting over which the floor must be kept


class Body(Protocol):
    """The body of an answer, as urllib3 has it."""

    def read1(self, amt: int) -> bytes:
        """Returns what is there, at most `amt` bytes, and waits where nothing is; empty at the end."""


def pieces(body: Body, most: int, where: str) -> Iterator[bytes]:
    """Yields what arrives as it arrives: to wait for full pieces would lose the bytes before a break.

    Args:
        body: What is read.
        most: Bytes of a piece.
        where: What is read, for the message.

    Raises:
        TransientError: If fewer than `FLOOR` bytes per second arrive over `WINDOW` seconds. What has arrived before was
            yielded.
    """
    waited, arrived = 0.0, 0
    while True:
        began = time.monotonic()
        piece = body.read1(most)
        if not piece:
            return
        waited, arrived = waited + time.monotonic() - began, arrived + len(piece)
        yield piece
        if waited >= WINDOW:
            if arrived < FLOOR * waited:
                raise TransientError(
                    f"{where} must send {FLOOR} bytes per second or more; got {arrived} in {waited:.0f} s: run the "
                    "same command again to continue, later or from elsewhere"
                )
            waited, arrived = 0.0, 0
