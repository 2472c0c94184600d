"""Checksums of packets that FFmpeg compares, and then only logs: it shows other pixels where they do not hold."""

from __future__ import annotations

import zlib

REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # FFmpeg's CRC begins with the highest bit
STARTS = (0, 0x5E31029E)  # of the CRC, whose end must be the same; the second is that of `slicecrc=2`, reversed
FULL = 0xFFFFFFFF
SIZE, WITH_CRC = 3, 8  # bytes at the end of a slice: its size; its size, an error status and the CRC


def damaged_ffv1(packet: bytes) -> bool:
    """Tells whether a packet of FFV1, version 3 or later, has slices whose checksums do not hold."""
    slices = _slices(packet, WITH_CRC)
    if slices is None:
        return _slices(packet, SIZE) is None
    return not any(all(_crc(each, start) == start for each in slices) for start in STARTS)


def _slices(packet: bytes, footer: int) -> list[bytes] | None:
    """Returns the slices of a packet, of which each ends with its size; None if they do not fill it."""
    found, end = [], len(packet)
    while end > 0:
        size_at = end - footer
        begin = size_at - int.from_bytes(packet[max(size_at, 0) : max(size_at, 0) + SIZE], "big")
        if size_at < 0 or begin < 0:
            return None
        found.append(packet[begin:end])
        end = begin
    return found


def _crc(content: bytes, start: int) -> int:
    return zlib.crc32(content.translate(REVERSED), start ^ FULL) ^ FULL
