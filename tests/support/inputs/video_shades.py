"""The ways in which a file stores colours."""

from __future__ import annotations

from typing import NamedTuple

from video_clips import RAW_ONLY, SITES, WEIGHTS, Clip
from video_kinds import FFV1


class Shade(NamedTuple):
    """How a file stores colours."""

    pixels: str
    matrix: int
    full: bool
    site: str = "unspecified"

    @property
    def clip(self) -> Clip:
        """Returns a clip of two pictures that stores colours so, and names how."""
        codec = Clip("rawvideo", "avi") if self.pixels in RAW_ONLY else FFV1
        options = {"chroma_sample_location": self.site}
        return codec._replace(pixels=self.pixels, matrix=self.matrix, full=self.full, options=options, times=(0, 1))


LAYOUTS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p16le")
SHADES = [
    *(Shade("yuv420p", matrix, full, site) for matrix in WEIGHTS for full in (False, True) for site in SITES),
    *(Shade(pixels, matrix, full) for pixels in LAYOUTS[1:] for matrix in (1, 5) for full in (False, True)),
    *(Shade(pixels, 5, full) for pixels in ("gray", "gray10le", "gray16le") for full in (False, True)),
    *(Shade(pixels, 5, full=False) for pixels in sorted(RAW_ONLY)),
]
