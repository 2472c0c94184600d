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


def aperture(width: int, height: int) -> Change:
    """Returns what says which part of a frame an MP4 shows, in a box at the end of its first sample description."""

    def change(data: bytearray) -> None:
        box = struct.pack(">I4s8i", 40, b"clap", width, 1, height, 1, 0, 1, 0, 1)
        begin, end, around = 0, len(data), list[int]()
        for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
            at = begin
            while data[at + 4 : at + 8] != kind:
                at += int.from_bytes(data[at : at + 4], "big")
            around.append(at)
            begin, end = at + (16 if kind == b"stsd" else 8), at + int.from_bytes(data[at : at + 4], "big")
        data[end:end] = box
        for at in around:
            data[at : at + 4] = struct.pack(">I", int.from_bytes(data[at : at + 4], "big") + len(box))

    return change


def cropped(pixels: int) -> Change:
    """Returns what says that a Matroska file does not show so many lines at the bottom."""

    def change(data: bytearray) -> None:
        extra, at, around = bytes([0x54, 0xAA, 0x81, pixels]), 0, list[tuple[int, int, int]]()
        for name in (b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\xae", b"\xe0"):
            while True:
                place = at + 9 - data[at].bit_length()
                width = 9 - data[place].bit_length()
                begin = place + width
                size = int.from_bytes(data[place:begin], "big") - (1 << 7 * width)
                if data[at:place] == name:
                    break
                at = begin + size
            around.append((place, width, size))
            at = begin
        data[begin + size : begin + size] = extra
        for place, width, size in around:
            data[place : place + width] = (size + len(extra) + (1 << 7 * width)).to_bytes(width, "big")

    return change


def edited(first: int, count: int) -> Change:
    """Returns what sets an edit list to so many frames from this one on."""

    def change(data: bytearray) -> None:
        at = data.find(b"elst") + 12
        _, start = struct.unpack(">Ii", data[at : at + 8])
        data[at : at + 8] = struct.pack(">Ii", 40 * count, start + 512 * first)

    return change
