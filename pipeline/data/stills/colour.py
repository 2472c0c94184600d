"""The colours of a photograph: which space its file names, and the way to sRGB, in which every metric is scored.

Where a file names no space it is sRGB, as viewers assume. A profile counts before numbers, as PNG's standard has it.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from PIL import ExifTags, ImageFile

from metric_robustness.pipeline.data.stills.boxes import colour_boxes, png_chunk
from metric_robustness.pipeline.data.stills.formats import rawmode_of
from metric_robustness.pipeline.data.stills.spaces import (
    ADOBE_RGB,
    DISPLAY_P3,
    SRGB,
    ColourError,
    Conversion,
    Primaries,
    profile_of,
)

# Numbers of H.273. BT.709's curve means the same screens as sRGB's, as in videos; 2 says nothing.
LIKE_SRGB = {(primaries, curve) for primaries in (1, 2) for curve in (1, 2, 6, 13)}
HDR = {16: "PQ", 18: "HLG"}
BT2020 = 9
SCREEN_GAMMA = 0.45455  # what PNG and others write for sRGB
TRANSFER_FUNCTION, WHITE_POINT, CHROMATICITIES = 301, 318, 319  # tags of TIFF


class Space(NamedTuple):
    """A colour space as a file names it."""

    profile: bytes
    name: str = ""  # empty: the profile's own


def conversion_of(image: ImageFile.ImageFile, path: Path) -> Conversion | None:
    """Returns how to bring an opened image, whose pixels are not read yet, to sRGB; None if it is sRGB.

    Raises:
        ColourError: If its colours are unknown, or cannot be converted.
    """
    space = _space_of(image, path)
    inks = image.mode == "CMYK"
    if space is None:
        if inks:
            raise ColourError("it has CMYK inks and no colour profile: save it as RGB")
        return None
    found = _conversion(space.profile, space.name)
    grey = image.mode.startswith(("1", "L", "I")) or rawmode_of(image).startswith("LA")
    if inks != (found.mode == "CMYK") or (found.mode == "L" and not grey):
        raise ColourError(f"its colour profile is for {found.mode} and its pixels are {image.mode}: save it as sRGB")
    return found if found.changes else None


@lru_cache(maxsize=64)
def _conversion(profile: bytes, name: str) -> Conversion:
    _require_no_hdr(profile)
    return Conversion(profile, name)


def _space_of(image: ImageFile.ImageFile, path: Path) -> Space | None:
    """Returns the space that a file names; None for sRGB, or where it names none."""
    if image.format == "PNG" and image.fp and (codes := png_chunk(image.fp, b"cICP")) is not None:
        if len(codes) != 4 or codes[2] or codes[3] != 1:
            raise ColourError("its cICP chunk does not say RGB of full range: save it as sRGB")
        return _space_by_code(*codes[:2])
    if "icc_profile" in image.info:
        if image.info["icc_profile"] is None:
            raise ColourError("its colour profile is damaged: save it as sRGB")
        return Space(image.info["icc_profile"])
    reader = {"PNG": _png, "TIFF": _tiff, "AVIF": _avif, "JPEG2000": _jpeg2000, "BMP": _bmp, "QOI": _qoi}
    if image.format in reader and (found := reader[image.format](image, path)):
        return found
    return _exif(image)


def _space_by_code(primaries: int, curve: int) -> Space | None:
    """Returns the space of two numbers of H.273."""
    if (primaries, curve) in LIKE_SRGB:
        return None
    if (primaries, curve) == (12, 13):
        return Space(profile_of(DISPLAY_P3, None), "Display P3")
    if curve in HDR or primaries == BT2020:
        shown = HDR.get(curve, "BT.2020")
        raise ColourError(f"its colours are {shown}, of a wider range than screens of sRGB: convert it to sRGB")
    raise ColourError(f"its colours, primaries {primaries} and curve {curve} in H.273, are not known here")


def _space_by_numbers(primaries: Primaries, gamma: float | None, name: str) -> Space | None:
    """Returns the space of primaries and of the exponent that leads from values to light, None for sRGB's curve."""
    usual = gamma is None or abs(1 / gamma - SCREEN_GAMMA) < 0.001
    return None if usual and primaries.near(SRGB) else Space(profile_of(primaries, gamma), name)


def _png(image: ImageFile.ImageFile, _: Path) -> Space | None:
    gamma, corners = image.info.get("gamma"), image.info.get("chromaticity")
    if "srgb" in image.info or (gamma is None and corners is None):
        return None
    if gamma == 0:
        raise ColourError("its gAMA chunk says 0: save it as sRGB")
    named = " and ".join(name for name, value in (("gAMA", gamma), ("cHRM", corners)) if value is not None)
    return _space_by_numbers(_primaries(corners) if corners else SRGB, gamma and 1 / gamma, f"its {named}")


def _tiff(image: Any, _: Path) -> Space | None:
    tags = image.tag_v2
    if TRANSFER_FUNCTION in tags:
        raise ColourError("it has a transfer function of its own: save it as sRGB")
    if not {WHITE_POINT, CHROMATICITIES} & set(tags):
        return None
    corners = [*tags.get(WHITE_POINT, SRGB.white), *tags.get(CHROMATICITIES, sum(SRGB[1:], ()))]
    return _space_by_numbers(_primaries(corners), None, "its chromaticities")


def _avif(_: ImageFile.ImageFile, path: Path) -> Space | None:
    codes = {struct.unpack(">HH", body[4:8]) for body in colour_boxes(path) if body[:4] == b"nclx"}
    spaces = [space for each in sorted(codes) if (space := _space_by_code(*each))]
    return spaces[0] if spaces else None


def _jpeg2000(_: ImageFile.ImageFile, path: Path) -> Space | None:
    for body in colour_boxes(path):
        if body[0] == 2:
            return Space(body[3:])
        number = int.from_bytes(body[3:7], "big")
        if body[0] != 1 or number not in {16, 17}:
            raise ColourError(f"its colour space, {number} of JPEG 2000, is not known here: save it as sRGB")
    return None


def _bmp(_: ImageFile.ImageFile, path: Path) -> Space | None:
    with path.open("rb") as file:
        head = file.read(122)
    if int.from_bytes(head[14:18], "little") >= 108:  # versions 4 and 5 have a colour space, the others none
        kind = head[70:74][::-1]
        if kind not in {b"sRGB", b"Win "} and any(head[70:122]):
            raise ColourError("it has a colour space of its own: save it as sRGB")
    return None


def _qoi(_: ImageFile.ImageFile, path: Path) -> Space | None:
    with path.open("rb") as file:
        linear = file.read(14)[13]
    return Space(profile_of(SRGB, 1.0), "linear light") if linear else None


def _exif(image: ImageFile.ImageFile) -> Space | None:
    """Returns Adobe RGB for the photograph of a camera that says so by the file's kind only, as DCF has it."""
    if "exif" not in image.info:
        return None
    kind = image.getexif().get_ifd(ExifTags.IFD.Interop).get(1)
    return Space(profile_of(ADOBE_RGB, 563 / 256), "Adobe RGB (Exif)") if kind == "R03" else None


def _primaries(corners: Any) -> Primaries:
    """Returns eight numbers, white first, as primaries."""
    numbers = [float(number) for number in corners]
    if len(numbers) != 8:
        raise ColourError("its chromaticities must be eight numbers: save it as sRGB")
    return Primaries(*zip(numbers[::2], numbers[1::2], strict=True))


def _require_no_hdr(profile: bytes) -> None:
    """Refuses a profile that says by the numbers of H.273 that it is of HDR."""
    for place in range(132, min(132 + 12 * int.from_bytes(profile[128:132], "big"), len(profile) - 11), 12):
        name, start, size = struct.unpack(">4sII", profile[place : place + 12])
        codes = profile[start + 8 : start + 10]
        if name == b"cicp" and size >= 12 and len(codes) == 2 and (codes[1] in HDR or codes[0] == BT2020):
            _space_by_code(*codes)
