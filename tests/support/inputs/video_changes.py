"""What is done to the bytes of a video: cut, turned by its display matrix, cut by its edit list."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

Change = Callable[[bytearray], object]
# By what it does: the four numbers of a track's display matrix, and what it makes of a picture.
TURNS: dict[str, tuple[tuple[float, ...], Callable[[np.ndarray], np.ndarray]]] = {
    "turned by 90°": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "turned by 180°": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "turned by 270°": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    "flipped left to right": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "flipped upside down": ((1, 0, 0, -1), lambda image: image[::-1]),
    "flipped along the diagonal": ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
}


def cut(share: float) -> Change:
    """Returns what leaves a share of a file, an odd number of bytes: no container has packets of odd length."""

    def change(data: bytearray) -> None:
        del data[round(len(data) * share) | 1 :]

    return change


def cut_within_frame(data: bytearray) -> None:
    """Leaves some packets of a transport stream, the last of which is a full one of the video."""
    at = len(data) // 188 * 3 // 5 * 188
    while data[at + 1 : at + 3] != b"\1\0" or data[at + 3] >> 4 != 1:
        at += 188
    at += 188
    del data[at:]


def display(*matrix: float) -> Change:
    """Returns what sets the four numbers of a track's display matrix that turn and flip."""

    def change(data: bytearray) -> None:
        at = data.find(b"tkhd") + 44
        a, b, c, d = (round(value * 65536) for value in matrix)
        data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)

    return change


def edited(first: int, count: int) -> Change:
    """Returns what sets an edit list to so many frames from this one on."""

    def change(data: bytearray) -> None:
        at = data.find(b"elst") + 12
        _, start = struct.unpack(">Ii", data[at : at + 8])
        data[at : at + 8] = struct.pack(">Ii", 40 * count, start + 512 * first)

    return change
