"""Frames of a video as 8-bit RGB, upright; and which kinds of frame are not understood.

swscale converts colours with exact rounding and bicubic chroma, sited as the file says, to 8 bits, to which 16-bit
photographs are rounded, too. Where a file does not name its range, that is the limited one; where it does not name its
matrix, that is BT.709 from 720 lines on and BT.601 below; where it does not name its primaries, those are of the kind
that its matrix belongs to. Players assume the same.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation

FORMATS = re.compile(
    r"(yuvj?4(20|22|44)p|gray|gbrp)(9|10|12|14|16)?(le|be)?|nv12|yuyv422|uyvy422"
    r"|rgb24|bgr24|0rgb|0bgr|rgb0|bgr0|rgb48(le|be)|bgr48(le|be)"
)
EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
MATRICES = {  # by their numbers in H.273
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
BT2020 = 9  # in H.273, as a matrix and as primaries
WIDE = {8: "generic film's", BT2020: "BT.2020's", 10: "CIE XYZ", 11: "DCI-P3's", 12: "Display P3's"}  # primaries
UNLIKE_SRGB = {8: "linear", 9: "logarithmic", 10: "logarithmic", 16: "PQ", 17: "SMPTE 428's", 18: "HLG"}  # transfers
UNSAID = 2  # in H.273: the file does not name it
HIGH_DEFINITION = 720  # lines


class VideoError(ValueError):
    """Why a video cannot be used."""


class Colours(NamedTuple):
    """How numbers mean colours, by the numbers of H.273."""

    primaries: int
    transfer: int
    matrix: int


class Turn(NamedTuple):
    """How a stored frame is shown: its axes are swapped first."""

    swapped: bool
    down: int  # step, 1 or -1
    right: int


class Kind(NamedTuple):
    """All that decides how a frame is read, besides its samples and its turn."""

    pixel_format: str
    colours: Colours
    interlaced: bool
    size: tuple[int, int]  # height, width, as stored


def kind_of(frame: VideoFrame) -> Kind:
    """Returns the kind of a frame."""
    return Kind(frame.format.name, colours_of(frame), frame.interlaced_frame, (frame.height, frame.width))


def colours_of(source: VideoFrame | VideoCodecContext) -> Colours:
    """Returns the colours that a frame, or the container for all frames, names."""
    return Colours(int(source.color_primaries), int(source.color_trc), int(source.colorspace))


def require_known(frame: VideoFrame) -> None:
    """Refuses a frame that cannot be shown as sRGB by what its file says.

    Raises:
        VideoError: If it is transparent, interlaced, or of a pixel format or colours that are not known.
    """
    layout = frame.format
    if any(component.is_alpha for component in layout.components):
        raise VideoError(f"holds transparency ({layout.name}), and its background is unknown: flatten it first")
    if not FORMATS.fullmatch(layout.name):
        raise VideoError(f"its pixel format {layout.name} is not known here: convert it to yuv420p or yuv444p")
    if frame.interlaced_frame:
        raise VideoError("is interlaced, and a frame of two moments is no image: deinterlace it")
    colours = colours_of(frame)
    if not layout.is_rgb and colours.matrix not in {*MATRICES, UNSAID}:
        raise VideoError(f"its colour matrix, {colours.matrix} in H.273, is not known here: convert it to BT.709")
    require_like_srgb(colours)


def require_like_srgb(colours: Colours) -> None:
    """Refuses colours that look wrong when they are shown as sRGB.

    Raises:
        VideoError: If the transfer is one of high dynamic range, linear or logarithmic, or the primaries are wide.
    """
    if name := UNLIKE_SRGB.get(colours.transfer):
        raise VideoError(f"its transfer is {name}, and metrics rate SDR: convert it to BT.709")
    if name := WIDE.get(BT2020 if colours.primaries == UNSAID and colours.matrix == BT2020 else colours.primaries):
        raise VideoError(f"its primaries are {name}, and metrics rate sRGB: convert it to BT.709")


def to_rgb(frame: VideoFrame, turn: Turn) -> npt.NDArray[np.uint8]:
    """Returns a frame as 8-bit RGB, upright, (H, W, 3)."""
    pixels = _grey(frame) if _is_limited_grey(frame) else _coloured(frame)
    return np.ascontiguousarray((pixels.swapaxes(0, 1) if turn.swapped else pixels)[:: turn.down, :: turn.right])


def left_sited(frame: VideoFrame) -> VideoFrame:
    """Returns a frame that says that its chroma samples lie on every other column, or shall do so when it gets some.

    swscale takes chroma of an unnamed place for centred, which is right for JPEG and MPEG-1 alone.
    """
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 25)
    )
    named, sink = graph.add("setparams", "chroma_location=left"), graph.add("buffersink")
    source.link_to(named)
    named.link_to(sink)
    graph.configure()
    graph.push(frame)
    return cast(VideoFrame, graph.pull())


def _coloured(frame: VideoFrame) -> npt.NDArray[np.uint8]:
    # Decoders leave the place unnamed for 4:2:2, for which there is only one; JPEG's 4:2:2 is of the format yuvj422p.
    placed = left_sited(frame) if "422" in frame.format.name and "j" not in frame.format.name else frame
    bits = frame.format.components[0].bits
    if bits == 8 or frame.format.is_rgb or _range(frame) == ColorRange.MPEG:
        return _reformatted(placed, "rgb24")
    white = 2**16 * (1 - 2**-bits)  # to 8 bits, swscale would make it 256
    deep = np.asarray(_reformatted(placed, "rgb48le"), np.float64)
    rounded: npt.NDArray[np.uint8] = (deep * (255 / white)).round().clip(0, 255).astype(np.uint8)
    return rounded


def _reformatted(frame: VideoFrame, pixel_format: str) -> npt.NDArray[np.uint8]:
    rgb = frame.reformat(
        format=pixel_format,
        src_colorspace=_matrix(frame),
        src_color_range=_range(frame),
        dst_color_range=ColorRange.JPEG,
        interpolation=EXACT,
        threads=1,
    )
    return cast(npt.NDArray[np.uint8], rgb.to_ndarray())


def _is_limited_grey(frame: VideoFrame) -> bool:
    return frame.format.name.startswith("gray") and frame.color_range == ColorRange.MPEG


def _grey(frame: VideoFrame) -> npt.NDArray[np.uint8]:
    """Returns a grey frame of limited range as RGB; swscale takes all grey for full."""
    bits = frame.format.components[0].bits
    luma = frame.reformat(format="gray16le", threads=1).to_ndarray() / (2**16 - 1) * (2**bits - 1) / 2 ** (bits - 8)
    grey = ((luma - 16) * (255 / 219)).round().clip(0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def _matrix(frame: VideoFrame) -> Colorspace:
    """Returns the colour matrix that a frame names; if it names none, the usual one for its size."""
    if frame.colorspace == UNSAID:
        return Colorspace.ITU709 if frame.height >= HIGH_DEFINITION else Colorspace.ITU601
    return MATRICES.get(frame.colorspace, Colorspace.ITU601)  # the others belong to RGB, which needs none


def _range(frame: VideoFrame) -> ColorRange:
    full = frame.format.is_rgb or frame.format.name.startswith("yuvj") or frame.color_range == ColorRange.JPEG
    return ColorRange.JPEG if full else ColorRange.MPEG


def turn_of(frame: VideoFrame) -> Turn:
    """Returns how a frame is turned and flipped to be shown.

    Its memory is freed late after that, since PyAV's side data and frame refer to each other. The display matrix takes
    a stored place (x, y) to the shown place (ax + cy, bx + dy).

    Raises:
        VideoError: If it does more than turn by quarters and flip.
    """
    display = cast(bytes | None, frame.side_data.get("DISPLAYMATRIX"))  # a buffer of PyAV's
    if display is None:
        return Turn(False, 1, 1)
    a, b, _, c, d = np.frombuffer(display, np.int32)[:5].tolist()
    if a and d and not b and not c and abs(a) == abs(d):
        return Turn(False, 1 if d > 0 else -1, 1 if a > 0 else -1)
    if b and c and not a and not d and abs(b) == abs(c):
        return Turn(True, 1 if b > 0 else -1, 1 if c > 0 else -1)
    raise VideoError("its display matrix does more than turn it by quarters and flip it: encode it upright")
