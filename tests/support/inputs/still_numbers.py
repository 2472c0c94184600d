"""Colour spaces that a file gives by numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import Image
from still_case import GREY, HDR, RGB, SOFT, WIDE, Case, eight, saved, three
from still_files import adobe_rgb, chunk, png, qoi, text
from still_light import AS_LINEAR, AS_P3, FROM_ADOBE, FROM_P3, levels, light


def numbers() -> Iterator[Case]:
    """Yields colour spaces that a file gives by numbers."""
    as_is, to_srgb = "read as it is", "converted to sRGB"
    gamma = lambda value: chunk(b"gAMA", struct.pack(">I", value))  # noqa: E731
    corners = lambda *values: chunk(b"cHRM", struct.pack(">8I", *values))  # noqa: E731
    usual = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    p3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    code = lambda *values: chunk(b"cICP", bytes(values))  # noqa: E731
    profile = chunk(b"iCCP", text(b"x", adobe_rgb()))
    srgb_chunk = chunk(b"sRGB", b"\0")
    for tags, before, right, told, source in (
        ("gAMA 0.45455", gamma(45455), RGB, as_is, ""),
        ("gAMA 0.45455, cHRM of sRGB", gamma(45455) + corners(*usual), RGB, as_is, ""),
        ("sRGB, which counts before gAMA", srgb_chunk + gamma(100000), RGB, as_is, ""),
        ("cICP of sRGB, which counts before iCCP", code(1, 13, 0, 1) + profile, RGB, as_is, ""),
        ("gAMA 1, linear light", gamma(100000), AS_LINEAR, to_srgb, "its gAMA"),
        ("cHRM of Display P3", corners(*p3), AS_P3, to_srgb, "its cHRM"),
        ("cICP of Display P3", code(12, 13, 0, 1), AS_P3, to_srgb, "Display P3"),
        ("cICP of PQ", code(9, 16, 0, 1), HDR.format("PQ"), "", ""),
        ("cICP of HLG", code(9, 18, 0, 1), HDR.format("HLG"), "", ""),
        ("cICP of BT.2020", code(9, 14, 0, 1), HDR.format("BT.2020"), "", ""),
        (
            "cICP of another space",
            code(4, 4, 0, 1),
            "its colours, primaries 4 and curve 4 in H.273, are not known here",
            "",
            "",
        ),
        (
            "cICP of narrow range",
            code(1, 13, 0, 0),
            "its cICP chunk does not say RGB of full range: save it as sRGB",
            "",
            "",
        ),
        (
            "cHRM that is no space",
            corners(0, 0, 0, 0, 0, 0, 0, 0),
            "its chromaticities or its gamma belong to no colour space: convert it to sRGB",
            "",
            "",
        ),
    ):
        name = "".join(letter for letter in tags if letter.isalnum())
        yield Case(
            "PNG",
            "8-bit RGB",
            tags,
            f"{name}.png",
            lambda b=before: png(RGB, before=b),
            right,
            told,
            bool(source),
            source,
        )
    right = levels(eight(WIDE[..., :3]) / 255)
    data = lambda: png(WIDE[..., :3], 16, gamma(100000))  # noqa: E731
    yield Case(
        "PNG",
        "16-bit RGB",
        "gAMA 1, linear light",
        "linear16.png",
        data,
        right,
        "rounded to 8 bits, then converted",
        1,
        "its gAMA",
    )
    right = three(levels(GREY / 255))
    yield Case(
        "PNG",
        "8-bit grey",
        "gAMA 1, linear light",
        "linear.png",
        lambda: png(GREY, before=gamma(100000)),
        right,
        to_srgb,
        1,
        "its gAMA",
    )
    yield Case(
        "QOI",
        "8-bit RGB",
        "linear light",
        "linear.qoi",
        lambda: qoi(RGB, linear=True),
        AS_LINEAR,
        to_srgb,
        1,
        "linear light",
    )
    avif = saved(Image.fromarray(SOFT), "AVIF", quality=100, subsampling="4:4:4")
    as_p3 = levels(light(SOFT) @ FROM_P3.T)
    for tags, codes, right, source in (
        ("nclx of BT.709", (1, 1), SOFT, ""),
        ("nclx of Display P3", (12, 13), as_p3, "Display P3"),
        ("nclx of PQ", (9, 16), HDR.format("PQ"), ""),
        ("nclx of HLG", (9, 18), HDR.format("HLG"), ""),
    ):
        data = lambda c=codes: avif().replace(b"nclx\0\1\0\r", b"nclx" + struct.pack(">HH", *c))  # noqa: E731
        told = to_srgb if source else "read"
        yield Case(
            "AVIF",
            "8-bit colour, lossy",
            tags,
            f"nclx{codes[0]}{codes[1]}.avif",
            data,
            right,
            told,
            6 if source else 3,
            source,
        )
    jp2 = saved(Image.fromarray(RGB), "JPEG2000")
    plain_colour = b"colr\1\0\0\0\0\0\x10"
    data = lambda: jp2().replace(plain_colour, plain_colour[:-1] + b"\x12")  # noqa: E731
    why = "its colour space, 18 of JPEG 2000, is not known here: save it as sRGB"
    yield Case("JPEG2000", "8-bit RGB", "an enumerated space that is not sRGB", "sycc.jp2", data, why)
    camera = Image.Exif()
    camera[0x8769] = {0xA001: 65535, 0xA005: {1: "R03", 2: b"0100"}}
    right = levels((SOFT / 255) ** (563 / 256) @ FROM_ADOBE.T)
    data = saved(Image.fromarray(SOFT), "JPEG", quality=100, subsampling=0, exif=camera)
    yield Case(
        "JPEG",
        "8-bit colour, lossy",
        "Exif's R03, a camera's Adobe RGB",
        "r03.jpg",
        data,
        right,
        to_srgb,
        5,
        "Adobe RGB (Exif)",
    )
    data = lambda: bmp_with_space(b"DEBM")  # noqa: E731  # MBED
    yield Case(
        "BMP",
        "8-bit RGB",
        "a colour space of its own",
        "own.bmp",
        data,
        "it has a colour space of its own: save it as sRGB",
    )
    yield Case("BMP", "8-bit RGB", "sRGB in its header", "srgb.bmp", lambda: bmp_with_space(b"BGRs"), RGB, as_is)


def bmp_with_space(kind: bytes) -> bytes:
    """Returns a BMP file with a header of version 4."""
    pixels = b"".join(line[:, ::-1].tobytes().ljust(52, b"\0") for line in RGB[::-1])
    head = struct.pack("<IiiHHIIiiII", 108, 17, 12, 1, 24, 0, len(pixels), 0, 0, 0, 0) + bytes(16) + kind
    return b"BM" + struct.pack("<IHHI", 14 + 108 + len(pixels), 0, 0, 14 + 108) + head.ljust(108, b"\0") + pixels
