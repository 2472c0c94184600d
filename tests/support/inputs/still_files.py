"""Image files written byte by byte, with every tag that a test asks for, apart from the libraries that read them."""

from __future__ import annotations

import struct
import zlib

import numpy as np

PNG_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # colour type by channels


def chunk(kind: bytes, body: bytes) -> bytes:
    """Returns a chunk of a PNG file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(values, bits: int = 8, before: bytes = b"", palette: bytes = b"") -> bytes:
    """Returns a PNG file.

    Args:
        values: (H, W) or (H, W, channels), as they stand in the file; indices where there is a palette.
        bits: Bits per sample.
        before: Chunks that stand before the pixels.
        palette: RGB triples.
    """
    values = values if values.ndim == 3 else values[..., None]
    height, width, channels = values.shape
    lines = values.reshape(height, -1)
    if bits < 8:
        places = np.arange(bits - 1, -1, -1)
        packed = [np.packbits((line[:, None] >> places & 1).astype(np.uint8)).tobytes() for line in lines]
    else:
        packed = [line.astype(">u2" if bits == 16 else np.uint8).tobytes() for line in lines]
    kind = 3 if palette else PNG_TYPES[channels]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    body = (chunk(b"PLTE", palette) if palette else b"") + before
    body += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + line for line in packed)))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def text(keyword: bytes, profile: bytes) -> bytes:
    """Returns the body of an iCCP chunk."""
    return keyword + b"\0\0" + zlib.compress(profile)


# Types of TIFF's entries: struct's letter by number.
LETTERS = {3: "H", 4: "I", 5: "I", 7: "B"}


def tiff(
    samples: bytes, width: int, height: int, tags: dict[int, tuple[int, tuple[int, ...]]], order: str = "<"
) -> bytes:
    """Returns an uncompressed TIFF file of one strip.

    Args:
        samples: The pixels.
        width: Pixels.
        height: Pixels.
        tags: By number: the type (3 short, 4 long, 5 rational, 7 bytes) and the values; a rational takes two.
        order: Of the bytes, as struct has it.
    """
    entries = {256: (4, (width,)), 257: (4, (height,)), 259: (3, (1,)), 273: (4, (8,)), 278: (4, (height,))}
    entries |= {279: (4, (len(samples),)), **tags}
    samples += bytes(len(samples) % 2)
    start = 8 + len(samples)
    place = start + 2 + 12 * len(entries) + 4
    table, far = struct.pack(order + "H", len(entries)), b""
    for number, (kind, values) in sorted(entries.items()):
        data = struct.pack(f"{order}{len(values)}{LETTERS[kind]}", *values)
        table += struct.pack(order + "HHI", number, kind, len(values) // (2 if kind == 5 else 1))
        if len(data) <= 4:
            table += data.ljust(4, b"\0")
        else:
            table += struct.pack(order + "I", place + len(far))
            far += data + bytes(len(data) % 2)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    return head + samples + table + bytes(4) + far


def qoi(pixels, linear: bool = False) -> bytes:
    """Returns a QOI file that stores each pixel by itself."""
    height, width, _ = pixels.shape
    body = b"".join(b"\xfe" + pixel.tobytes() for pixel in pixels.reshape(-1, 3))
    return b"qoif" + struct.pack(">IIBB", width, height, 3, int(linear)) + body + bytes(7) + b"\x01"


def icc(space: bytes, parts: dict[bytes, bytes], pcs: bytes = b"XYZ ", kind: bytes = b"mntr") -> bytes:
    """Returns an ICC profile, version 2.4, from its tags."""
    parts = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78), **parts}
    table, body, offset = struct.pack(">I", len(parts)), b"", 132 + 12 * len(parts)
    for name, data in parts.items():
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s12x4s", offset + len(body), b"", 0x02400000, kind, space, pcs, b"acsp")
    white = struct.pack(">3i", 63190, 65536, 54061)  # D50
    return head.ljust(68, b"\0") + white + bytes(48) + table + body


def _xyz(*numbers: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(number * 65536) for number in numbers))


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def adobe_rgb() -> bytes:
    """Returns a profile with the colorants that Adobe published, of D50, and its exponent 563/256."""
    colorants = {
        b"r": (0.60974, 0.31111, 0.01947),
        b"g": (0.20528, 0.62567, 0.06087),
        b"b": (0.14919, 0.06322, 0.74457),
    }
    parts = {b"wtpt": _xyz(0.9505, 1, 1.0891)}
    parts |= {name + b"XYZ": _xyz(*numbers) for name, numbers in colorants.items()}
    return icc(b"RGB ", parts | {name + b"TRC": _curve(563 / 256) for name in colorants})


def grey_profile(gamma: float) -> bytes:
    """Returns a profile of grey."""
    return icc(b"GRAY", {b"wtpt": _xyz(0.9642, 1, 0.8249), b"kTRC": _curve(gamma)})


def ink_profile() -> bytes:
    """Returns a profile of CMYK in which black ink alone takes L* straight from 100 to 0, without a tint."""
    identity = bytes(range(256))
    corners = b""
    for number in range(16):  # cyan moves slowest, black fastest
        black = number & 1
        ink = bin(number >> 1).count("1")
        corners += bytes([0 if black else round(255 * (1 - ink / 4)), 128, 128])
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + identity * 4 + corners + identity * 3
    return icc(b"CMYK", {b"wtpt": _xyz(0.9642, 1, 0.8249), b"A2B0": table, b"A2B1": table}, b"Lab ", b"prtr")
