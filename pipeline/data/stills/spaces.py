"""Colour spaces: which one a profile describes, and profiles for spaces that a file gives by numbers."""

from __future__ import annotations

import io
import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Numbers = npt.NDArray[np.float64]

SAME = 2  # levels: profiles of sRGB by different makers, some shortened to 400 bytes, differ by no more
D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
CHANNELS = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


class ColourError(ValueError):
    """Why a file's colours cannot be brought to sRGB."""


class Primaries(NamedTuple):
    """White, red, green and blue as chromaticities (x, y)."""

    white: tuple[float, float]
    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]

    def near(self, other: Primaries) -> bool:
        """Tells whether two spaces have the same primaries, up to the digits that files write."""
        return bool(np.abs(np.subtract(self, other)).max() < 0.002)


D65 = (0.3127, 0.329)
SRGB = Primaries(D65, (0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
DISPLAY_P3 = Primaries(D65, (0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
ADOBE_RGB = Primaries(D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))


class Conversion:
    """The way of pixels from one profile to sRGB by littleCMS, relative colorimetric with black-point compensation."""

    def __init__(self, profile: bytes, name: str = "") -> None:
        """Reads the profile.

        Args:
            profile: Its bytes.
            name: What to call it; empty: what it calls itself.

        Raises:
            ColourError: If it is damaged, or of a kind that cannot be converted.
        """
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            self.mode = CHANNELS.get(source.profile.xcolor_space, "")
            if not self.mode:
                raise ColourError(f"its colour profile is of {source.profile.xcolor_space.strip()}: convert it to sRGB")
            self.transform = ImageCms.buildTransform(
                source,
                ImageCms.createProfile("sRGB"),
                self.mode,
                "RGB",
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.HIGHRESPRECALC,
            )
        except (OSError, ImageCms.PyCMSError) as error:
            raise ColourError(f"its colour profile cannot be read ({error}): convert it to sRGB") from None
        self.name = name or " ".join((source.profile.profile_description or "a profile without a name").split())
        self.changes = self._changes()

    def _changes(self) -> bool:
        """Tells whether the profile is another space than sRGB, whatever its name is."""
        if self.mode == "CMYK":
            return True
        levels = np.arange(256, dtype=np.uint8)
        grid = np.stack(np.meshgrid(levels[::15], levels[::15], levels[::15], indexing="ij"), -1).reshape(-1, 1, 3)
        probe = np.concatenate([grid, np.repeat(levels[:, None, None], 3, axis=2)]) if self.mode == "RGB" else levels
        before = Image.fromarray(np.ascontiguousarray(probe.reshape(len(probe), 1, *probe.shape[2:])))
        after = np.asarray(self.of(before)).astype(int)
        return bool(np.abs(after - np.asarray(before.convert("RGB"))).max() > SAME)

    def of(self, image: Image.Image) -> Image.Image:
        """Returns an image, which has the mode of the profile, in sRGB."""
        found = ImageCms.applyTransform(image, self.transform)
        assert found is not None
        return found


def profile_of(primaries: Primaries, gamma: float | None) -> bytes:
    """Returns an ICC profile of a space of three primaries, since littleCMS takes nothing else.

    Args:
        primaries: Its primaries.
        gamma: The exponent that leads from values to light; None for the curve of sRGB.

    Raises:
        ColourError: If no space has these numbers.
    """
    try:
        columns = [_xyz(*primary) for primary in primaries[1:]]
        white = _xyz(*primaries.white)
        scaled = np.stack(columns, axis=1) * np.linalg.solve(np.stack(columns, axis=1), white)
        cones = np.diag((BRADFORD @ D50) / (BRADFORD @ white))
        adapted = np.linalg.inv(BRADFORD) @ cones @ BRADFORD @ scaled
        parts = [(b"wtpt", b"XYZ \0\0\0\0" + _fixed(D50))]
        parts += [(name, b"XYZ \0\0\0\0" + _fixed(adapted[:, i])) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))]
        numbers = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045] if gamma is None else [gamma]
        curve = struct.pack(">4sIHH", b"para", 0, 3 if gamma is None else 0, 0) + _fixed(np.array(numbers))
    except (np.linalg.LinAlgError, ZeroDivisionError, struct.error, ValueError, OverflowError):
        raise ColourError("its chromaticities or its gamma belong to no colour space: convert it to sRGB") from None
    parts += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    table, body, offset = struct.pack(">I", len(parts)), b"", 132 + 12 * len(parts)
    for name, data in parts:
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s12x4s", offset + len(body), b"", 0x04300000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return head.ljust(68, b"\0") + _fixed(D50) + bytes(48) + table + body


def _xyz(x: float, y: float) -> Numbers:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _fixed(numbers: Numbers) -> bytes:
    """Returns numbers as ICC's s15Fixed16."""
    return struct.pack(f">{len(numbers)}i", *(round(float(number) * 65536) for number in numbers))
