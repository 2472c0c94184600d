"""Whether a container says that only a part of each frame is to be shown, which players do and decoders do not."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from mmap import ACCESS_READ, mmap
from pathlib import Path

EBML = b"\x1a\x45\xdf\xa3"
SEGMENT, TRACKS, TRACK, VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0  # elements of Matroska
CLUSTER = 0x1F43B675
PIXEL_CROPS = {0x54AA, 0x54BB, 0x54CC, 0x54DD}  # bottom, top, left, right
TO_STSD = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")  # boxes of MP4 and MOV, each in the one before
OF_LIST, OF_ENTRY = 8, 78  # bytes before the boxes in a list of sample descriptions, and in one of a video
CLAP = 32  # bytes: four fractions
Part = tuple[int, int]  # of a file, from where to where


def is_cropped(path: Path) -> bool:
    """Tells whether MP4 and MOV (clean aperture) or Matroska (pixel crop) show less than the stored frames."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        whole = (0, len(data))
        return any(_matroska(data, whole) if data[:4] == EBML else _iso(data, whole))


def _iso(data: mmap, whole: Part) -> Iterator[bool]:
    """Yields of each clean aperture whether it leaves something out."""
    places = [whole]
    for wanted in TO_STSD:
        places = [inner for place in places for kind, inner in _boxes(data, place) if kind == wanted]
    for begin, end in places:
        for _, (entry, stop) in _boxes(data, (begin + OF_LIST, end)):
            size = [int.from_bytes(data[at : at + 2], "big") for at in (entry + 24, entry + 26)]
            for kind, (at, last) in _boxes(data, (entry + OF_ENTRY, stop)):
                if kind == b"clap" and last - at >= CLAP:
                    numbers = [int.from_bytes(data[at + i : at + i + 4], "big") for i in range(0, CLAP, 4)]
                    shown = [Fraction(*pair) for pair in (numbers[:2], numbers[2:4]) if pair[1]]
                    yield any(side - part >= 1 for side, part in zip(size, shown, strict=False))


def _boxes(data: mmap, place: Part) -> Iterator[tuple[bytes, Part]]:
    """Yields kind and inside of the boxes in a part of a file, as far as they make sense."""
    at, end = place
    while at + 8 <= end:
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = min(at + size, end) if size else end
        if stop < at + head:
            return
        yield data[at + 4 : at + 8], (at + head, stop)
        at = stop


def _matroska(data: mmap, whole: Part) -> Iterator[bool]:
    """Yields of each pixel crop whether it is more than none."""
    places = [whole]
    for wanted in (SEGMENT, TRACKS, TRACK, VIDEO):
        places = [inner for place in places for name, inner in _elements(data, place) if name == wanted]
    for place in places:
        for name, (begin, end) in _elements(data, place):
            if name in PIXEL_CROPS:
                yield any(data[begin:end])


def _elements(data: mmap, place: Part) -> Iterator[tuple[int, Part]]:
    """Yields name and inside of the elements in a part of a file up to its first cluster."""
    at, end = place
    while at + 2 <= end:
        name = 9 - data[at].bit_length()
        if name > 4 or at + name >= end:
            return
        width = 9 - data[at + name].bit_length()
        begin = at + name + width
        size = int.from_bytes(data[at + name : begin], "big") & ((1 << 7 * width) - 1)
        found = int.from_bytes(data[at : at + name], "big")
        if width > 8 or found == CLUSTER:
            return
        stop = end if size == (1 << 7 * width) - 1 else min(begin + size, end)
        yield found, (begin, stop)
        at = stop
