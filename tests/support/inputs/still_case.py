"""A case of a still image, and the pixels that cases share."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from PIL import Image

DRAWN = np.random.default_rng(7)
RGB = DRAWN.integers(0, 256, (12, 17, 3), dtype=np.uint8)
GREY = RGB[..., 0]
WIDE = DRAWN.integers(0, 65536, (12, 17, 4)).astype(np.uint16)
SOFT = np.asarray(
    Image.fromarray(DRAWN.integers(110, 170, (3, 4, 3), dtype=np.uint8)).resize((34, 24), Image.Resampling.BICUBIC)
)
TRANSPARENT = "it is transparent in places: flatten it first"


@dataclass(frozen=True)
class Case:
    """A file, and what is right.

    Attributes:
        container: Pillow's name of the format.
        mode: What its samples are.
        tags: What else it says.
        name: The file's name.
        data: Returns its bytes.
        right: Its pixels, (H, W, 3), or why it is refused.
        told: What happens to it, in words; empty where it is refused.
        within: How many levels the pixels may differ, where a codec or a colour space is between.
        converted: The colour space that it is converted from.
    """

    container: str
    mode: str
    tags: str
    name: str
    data: Callable[[], bytes]
    right: np.ndarray | str
    told: str = ""
    within: int = 0
    converted: str = ""

    @property
    def suffix(self) -> str:
        """Returns the file's suffix."""
        return PurePath(self.name).suffix

    @property
    def row(self) -> tuple[str, str, str]:
        """Returns mode, tags and what happens, which the table shows once for all containers."""
        return self.mode, self.tags, f"refused: {self.right}" if isinstance(self.right, str) else self.told


def saved(image: Image.Image, kind: str, **options: Any) -> Callable[[], bytes]:
    """Returns a function that has Pillow write a file."""

    def write() -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return write


def three(grey: np.ndarray) -> np.ndarray:
    """Returns grey levels as RGB."""
    return np.dstack([grey.astype(np.uint8)] * 3)


def eight(wide: np.ndarray) -> np.ndarray:
    """Returns 16-bit values rounded to 8 bits."""
    return np.round(wide / 257).astype(np.uint8)


HDR = "its colours are {}, of a wider range than screens of sRGB: convert it to sRGB"
