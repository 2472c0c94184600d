"""What a file says of its colours and Pillow does not pass on: chunks of PNG, boxes of AVIF and JPEG 2000."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

PARENTS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"jp2h": 0}  # boxes that hold boxes, after so many bytes of their own


def png_chunk(file: IO[bytes], wanted: bytes) -> bytes | None:
    """Returns a chunk that stands before the pixels of an open PNG file; None if there is none. Leaves its place."""
    place, found = file.tell(), None
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == wanted:
            found = file.read(length)
        if kind in {wanted, b"IDAT"}:
            break
        file.seek(length + 4, os.SEEK_CUR)
    file.seek(place)
    return found


def png_may_be_turned(file: IO[bytes]) -> bool:
    """Tells whether an open PNG file holds Exif or text, which may turn it, or does not end as it must.

    Pillow decodes the whole file to find such chunks behind the pixels; their heads tell as much.
    """
    place, file_says = file.tell(), True
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in {b"eXIf", b"iTXt", b"tEXt", b"zTXt", b"IEND"}:
            file_says = kind != b"IEND"
            break
        file.seek(length + 4, os.SEEK_CUR)
    file.seek(place)
    return file_says


def colour_boxes(path: Path) -> list[bytes]:
    """Returns what the `colr` boxes of an AVIF or JPEG 2000 file hold; none for a bare codestream."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        return [body for kind, body in _boxes(file, end) if kind == b"colr"]


def _boxes(file: IO[bytes], end: int) -> Iterator[tuple[bytes, bytes]]:
    while file.tell() + 8 <= end:
        start = file.tell()
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == 1:
            size = int.from_bytes(file.read(8), "big")
        stop = min(start + size if size else end, end)
        if stop <= file.tell():
            return
        if kind in PARENTS:
            file.seek(PARENTS[kind], os.SEEK_CUR)
            yield from _boxes(file, stop)
        elif kind == b"colr":
            yield kind, file.read(stop - file.tell())
        file.seek(stop)


def codestream_size(path: Path) -> bytes:
    """Returns the SIZ segment of a JPEG 2000 file, which says how many bits samples have; empty if there is none."""
    data = path.read_bytes()
    start = data.find(b"\xff\x4f\xff\x51") + 4
    return data[start : start + int.from_bytes(data[start : start + 2], "big")] if start >= 4 else b""
